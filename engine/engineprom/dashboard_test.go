package engineprom_test

import (
	"encoding/json"
	"os"
	"testing"

	"github.com/stretchr/testify/require"
	"go.yaml.in/yaml/v3"
)

type panel struct {
	ID          int
	Type, Title string
	Description string
	Datasource  struct{ UID string }
	GridPos     struct{ H, W, X, Y int }
	Targets     []struct {
		Expr       string
		Datasource struct{ UID string }
	}
}

type dashboard struct {
	Title, UID string
	Templating struct {
		List []struct{ Name, Type, Definition string }
	}
	Panels []panel
}

func readDashboard(t *testing.T) (d dashboard) {
	t.Helper()
	text, err := os.ReadFile("dashboard.json")
	require.NoError(t, err)
	require.NoError(t, json.Unmarshal(text, &d))
	return d
}

// TestTheDashboardShowsEveryMetric, and nothing that does not exist.
func TestTheDashboardShowsEveryMetric(t *testing.T) {
	k := newKnown(t)
	for _, p := range readDashboard(t).Panels {
		for _, target := range p.Targets {
			require.Empty(t, k.faults(target.Expr), "%s: %s", p.Title, target.Expr)
		}
	}
	for name := range k.families {
		require.True(t, k.used[name], "no panel shows %s", name)
	}
}

// TestTheDashboardCanBeImported: it has variables in place of a data source, and panels that do not
// overlap.
func TestTheDashboardCanBeImported(t *testing.T) {
	d := readDashboard(t)
	require.NotEmpty(t, d.Title)
	variables := map[string]string{}
	for _, v := range d.Templating.List {
		variables[v.Name] = v.Type + " " + v.Definition
	}
	require.Equal(t, map[string]string{"datasource": "datasource ", "engine": "query label_values(limitpal_keys, engine)"}, variables)
	ids, cells := map[int]bool{}, map[[2]int]string{}
	for _, p := range d.Panels {
		require.False(t, ids[p.ID], "%s: the id is taken", p.Title)
		ids[p.ID] = true
		require.LessOrEqual(t, p.GridPos.X+p.GridPos.W, 24, p.Title)
		for x := range p.GridPos.W {
			for y := range p.GridPos.H {
				at := [2]int{p.GridPos.X + x, p.GridPos.Y + y}
				require.Empty(t, cells[at], "%s lies over another panel", p.Title)
				cells[at] = p.Title
			}
		}
		if p.Type == "row" {
			continue
		}
		require.NotEmpty(t, p.Description, p.Title)
		require.NotEmpty(t, p.Targets, p.Title)
		require.Equal(t, "${datasource}", p.Datasource.UID, p.Title)
		for _, target := range p.Targets {
			require.Equal(t, "${datasource}", target.Datasource.UID, p.Title)
			for _, ref := range reference.FindAllStringSubmatch(target.Expr, -1) {
				require.Contains(t, ref[2], `engine=~"$engine"`, "%s: %s", p.Title, target.Expr)
			}
		}
	}
}

// rules are a file of rules for Prometheus.
type rules struct {
	Groups []struct {
		Name  string
		Rules []struct {
			Alert, Expr, For    string
			Labels, Annotations map[string]string
		}
	}
}

func TestAlertsNameMetricsThatExist(t *testing.T) {
	file, err := os.Open("alerts.yml")
	require.NoError(t, err)
	defer file.Close()
	var all rules
	decoder := yaml.NewDecoder(file)
	decoder.KnownFields(true)
	require.NoError(t, decoder.Decode(&all))
	require.Len(t, all.Groups, 1)
	require.Len(t, all.Groups[0].Rules, 6)
	k := newKnown(t)
	for _, rule := range all.Groups[0].Rules {
		require.Empty(t, k.faults(rule.Expr), rule.Alert)
		require.Contains(t, rule.Expr, "by (job, engine)", "%s: the text of the alert needs the labels", rule.Alert)
		require.NotEmpty(t, rule.Annotations["summary"], rule.Alert)
		require.NotEmpty(t, rule.Annotations["description"], rule.Alert)
		require.NotEmpty(t, rule.Labels["severity"], rule.Alert)
	}
}
