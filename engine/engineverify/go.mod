module github.com/limitpal/limitpal-go/engine/engineverify

go 1.26.0

require (
	github.com/anishathalye/porcupine v1.3.1
	github.com/limitpal/limitpal-go v0.0.0
	github.com/stretchr/testify v1.12.1
	go.uber.org/goleak v1.3.0
)

require (
	github.com/benbjohnson/clock v1.3.5 // indirect
	go.yaml.in/yaml/v3 v3.0.5 // indirect
	golang.org/x/sync v0.24.0 // indirect
)

replace github.com/limitpal/limitpal-go => ../../
