// Command berth brings up development boxes from an Envfile.
package main

import (
	"os"

	"github.com/berth-dev/berth/cmd/berth/app"
)

func main() { os.Exit(app.Main(os.Args)) }
