// Package cookbook has the code of docs/cookbook.md: twelve situations, and what to write for each.
package cookbook
