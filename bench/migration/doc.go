// Package migration has the code of docs/migration.md: the same guard written with other libraries and with this one.
package migration
