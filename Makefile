# `make` is the loop during work, `make ci` runs everything that a change must pass, `make help` lists the rest.

GO        ?= go
FUZZTIME  ?= 30s
BENCH     ?= .
BENCHTIME ?= 1s
SOAK      ?= 10m
# The longest time for the tests of one package under the race detector, also on a machine that is busy elsewhere.
TIMEOUT   ?= 30m

# Tools are pinned here and run with `go run`, so that go.mod holds only the needs of the library and its tests.
GOLANGCI_LINT = github.com/golangci/golangci-lint/v2/cmd/golangci-lint@v2.15.0
GOVULNCHECK   = golang.org/x/vuln/cmd/govulncheck@v1.9.0
GREMLINS      = github.com/go-gremlins/gremlins/cmd/gremlins@v0.6.0

# Folders with a go.mod of their own, which `./...` does not reach. go.work joins the modules, so that those of JOINED are vetted and
# tested together with the main module; the others are tested by name.
JOINED = examples/gateway
NESTED = $(JOINED) bench engine/engineotel engine/engineprom engine/engineverify

# The main module and those of JOINED.
PACKAGES = ./... $(patsubst %,./%/...,$(JOINED))

# Least statement coverage in per cent, by the package's own tests. "main" is the whole module without its examples.
COVERAGE = limiter=98 breaker=98 retry=98 engine/enginehttp=95 engine/enginenet=95 main=90
# Packages that the coverage profile must contain, so that a gate cannot pass because something was left out.
COVERED  = actors breaker clock clock/clocktest engine engine/enginehttp engine/enginenet limiter mailbox retry

# Packages whose tests have to kill mutants, and the least share of killed mutants in per cent. docs/mutation.md has the results.
MUTATED  = limiter breaker retry
MUTATION = 95

.NOTPARALLEL:
.PHONY: all build vet test ci fmt fmt-check lint tidy tidy-check cross race cover nested fuzz mutation verify soak bench instructions report vuln help

all: build vet test ## Build, vet and test, in seconds (the default)

build: ## Compile every package
	$(GO) build $(PACKAGES)

vet: ## Run go vet
	$(GO) vet $(PACKAGES)

test: ## Run the tests
	$(GO) test $(PACKAGES)

ci: fmt-check vet tidy-check cross lint race cover nested ## Everything a change must pass

fmt: ## Format every Go file
	gofmt -w .

fmt-check: ## Fail on a Go file that is not formatted
	@out=$$(gofmt -l .) || exit 1; \
	if [ -n "$$out" ]; then echo "not formatted; run make fmt:"; echo "$$out"; exit 1; fi

# Which packages may be imported is a question for the main module alone.
lint: ## Run the linters of .golangci.yml
	$(GO) run $(GOLANGCI_LINT) run ./...
	@for dir in $(NESTED); do \
		echo "$$dir:"; (cd "$$dir" && $(GO) run $(GOLANGCI_LINT) run --config $(CURDIR)/.golangci.yml --disable depguard ./...) || exit 1; \
	done

tidy: ## Tidy every go.mod and go.sum
	@for dir in . $(NESTED); do (cd "$$dir" && $(GO) mod tidy) || exit 1; done

tidy-check: ## Fail if a go.mod or go.sum is not tidy
	@for dir in . $(NESTED); do (cd "$$dir" && $(GO) mod tidy -diff) || exit 1; done

cross: ## Vet for 32 bits and for the other systems
	GOOS=linux GOARCH=386 $(GO) vet $(PACKAGES)
	GOOS=windows GOARCH=amd64 $(GO) vet $(PACKAGES)
	GOOS=darwin GOARCH=arm64 $(GO) vet $(PACKAGES)

race: ## Run the tests three times, shuffled, under the race detector
	$(GO) test -race -shuffle=on -count=3 -timeout=$(TIMEOUT) $(PACKAGES)

# Reads a coverage profile. A block that several test binaries report counts once, as covered if any binary ran the block.
define COVER_GATES
NR == 1 { next }
{
	stmts[$$1] = $$2
	if ($$3 > 0) ran[$$1] = 1
}
END {
	for (block in stmts) {
		pkg = block
		sub(/\/[^\/]*$$/, "", pkg)
		sub("^" module "/", "", pkg)
		total[pkg] += stmts[block]; total["main"] += stmts[block]
		if (block in ran) { hit[pkg] += stmts[block]; hit["main"] += stmts[block] }
	}
	n = split(covered, names, " ")
	for (i = 1; i <= n; i++) if (!total[names[i]]) { print "FAIL " names[i] ": not in the coverage profile"; bad = 1 }
	n = split(gates, gate, " ")
	for (i = 1; i <= n; i++) {
		split(gate[i], g, "="); least[g[1]] = g[2]
		if (!total[g[1]]) { print "FAIL " g[1] ": has a coverage gate but no statements"; bad = 1 }
	}
	for (pkg in total) {
		percent = 100 * hit[pkg] / total[pkg]
		verdict = ""
		if (pkg in least) verdict = (percent < least[pkg] ? "  FAIL: " : "  ok: ") "at least " least[pkg] " %"
		if (verdict ~ /FAIL/) bad = 1
		printf "%-20s %6.2f %% of %5d statements%s\n", pkg, percent, total[pkg], verdict | "sort"
	}
	close("sort")
	exit bad
}
endef
export COVER_GATES

cover: ## Measure coverage per package and hold it to COVERAGE; leaves cover.out
	@module=$$(awk '$$1 == "module" { print $$2 }' go.mod) && \
	pkgs=$$($(GO) list ./... | grep -v '/examples/') && \
	$(GO) test -covermode=atomic -coverprofile=cover.out $$pkgs && \
	awk -v module="$$module" -v gates="$(COVERAGE)" -v covered="$(COVERED)" "$$COVER_GATES" cover.out

nested: ## Vet and test each nested module of NESTED but those of JOINED
	@found=$$(find . -mindepth 2 -name go.mod -not -path '*/.*' -not -path '*/testdata/*' | sort); \
	for dir in $$found; do \
		dir=$${dir#./}; dir=$${dir%/go.mod}; \
		case " $(NESTED) " in *" $$dir "*) ;; *) echo "$$dir has a go.mod but is not in NESTED"; exit 1 ;; esac; \
	done
	@for dir in $(filter-out $(JOINED),$(NESTED)); do \
		echo "$$dir:"; \
		(cd "$$dir" && $(GO) vet ./... && $(GO) test -race -shuffle=on -timeout=$(TIMEOUT) ./...) || exit 1; \
	done

fuzz: ## Run every fuzz target for FUZZTIME, one after another
	@list=$$($(GO) test -list '^Fuzz' $(PACKAGES)) || { echo "$$list"; exit 1; }; \
	targets=$$(echo "$$list" | awk '/^Fuzz/ { f[++n] = $$1 } /^ok/ { for (i = 1; i <= n; i++) print $$2 ":" f[i]; n = 0 }'); \
	set -- $$targets; count=$$#; at=0; \
	if [ "$$count" -eq 0 ]; then echo "no fuzz targets found"; exit 1; fi; \
	for target; do \
		at=$$((at + 1)); echo "[$$at/$$count] $${target#*:} in $${target%:*} for $(FUZZTIME)"; \
		$(GO) test -run='^$$' -fuzz="^$${target#*:}\$$" -fuzzminimizetime=5x -fuzztime=$(FUZZTIME) "$${target%:*}" || exit 1; \
	done

verify: ## Run every check with the volumes of docs/reliability.md, and write its table
	$(GO) run ./engine/engineverify -docs .

soak: ## Run mixed load at full speed for SOAK, and write down the result
	$(GO) run ./engine/engineverify -soak $(SOAK) -docs .

# gremlins calls this script for go. gremlins tries the mutants that a coverage profile covers. The conditions of a switch's cases are in no
# block of a profile, so the script reports all of every file as covered: a mutant that no test reaches then lives. go test does not tell a
# mutant that does not compile from a failure, so the script exits with the 2 that gremlins expects. The time limit of a mutant is a multiple
# of the time of the first run, so that run must not come from the cache.
define MUTANT_GO
#!/bin/sh
for package; do :; done
case " $$* " in
*" -coverprofile "*)
	"$$REAL_GO" "$$@" -count=1 || exit
	while [ "$$1" != -coverprofile ]; do shift; done
	awk -F: 'NR == 1 { print; next } !seen[$$1]++ { print $$1 ":1.1,99999.1 1 1" }' "$$2" >"$$2.all" && mv "$$2.all" "$$2" ;;
*" test "*)
	"$$REAL_GO" build "$$package" 2>/dev/null || exit 2
	exec "$$REAL_GO" "$$@" ;;
*)
	exec "$$REAL_GO" "$$@" ;;
esac
endef
export MUTANT_GO

# Reads the output of gremlins. The tests notice a mutant that makes them hang too, but a hang does not count as killed.
define MUTATION_GATE
/^ *(KILLED|LIVED|TIMED OUT|NOT COVERED|NOT VIABLE) / { n[$$1 == "KILLED" || $$1 == "LIVED" ? $$1 : $$1 " " $$2]++ }
/^ *(LIVED|TIMED OUT|NOT COVERED) / { print }
END {
	all = n["KILLED"] + n["LIVED"] + n["TIMED OUT"] + n["NOT COVERED"]
	percent = all ? 100 * n["KILLED"] / all : 0
	printf "%s: %d killed, %d lived, %d not covered, %d timed out; %.1f %% killed%s (%d more do not compile)\n", pkg, n["KILLED"], n["LIVED"], \
		n["NOT COVERED"], n["TIMED OUT"], percent, percent < least ? ", FAIL: at least " least " %" : "", n["NOT VIABLE"]
	exit percent < least
}
endef
export MUTATION_GATE

mutation: ## Test the tests of MUTATED with mutants and hold them to MUTATION, in some minutes
	@tmp=$$(mktemp -d) && trap 'rm -rf "$$tmp"' EXIT && REAL_GO=$$(command -v $(GO)) && export REAL_GO GOWORK=off && \
	GOBIN="$$tmp" "$$REAL_GO" install $(GREMLINS) && printf '%s\n' "$$MUTANT_GO" >"$$tmp/go" && chmod +x "$$tmp/go" || exit 1; \
	bad=0; for pkg in $(MUTATED); do \
		PATH="$$tmp:$$PATH" "$$tmp/gremlins" unleash --workers 2 --timeout-coefficient 20 --invert-assignments --invert-bwassign \
			--invert-logical --invert-loopctrl --remove-self-assignments ./$$pkg >"$$tmp/log" 2>&1 || { cat "$$tmp/log"; bad=1; }; \
		awk -v pkg=$$pkg -v least=$(MUTATION) "$$MUTATION_GATE" "$$tmp/log" || bad=1; \
	done; exit $$bad

bench: ## Run the benchmarks that match BENCH for BENCHTIME each
	$(GO) test -run='^$$' -bench='$(BENCH)' -benchtime=$(BENCHTIME) -benchmem $(PACKAGES)

instructions: ## Count the instructions of a call with valgrind, in a minute; skipped where valgrind is missing
	$(GO) run ./bench/instructions

report: ## Make docs/contention.md and the table of README from the committed samples
	$(GO) run ./bench -from bench/results/raw.txt -docs .

vuln: ## Look for known vulnerabilities (needs the network)
	$(GO) run $(GOVULNCHECK) ./...

help: ## List the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  %-14s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)
