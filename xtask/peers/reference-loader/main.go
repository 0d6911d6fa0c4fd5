// Reference-loader measures the library inside docker compose on the question Escadre's own loader is measured on:
// read the same Compose file once per instance, with that instance's variables, in one process.
//
// usage: reference-loader COMPOSE_FILE INSTANCES
// It prints the seconds it took and the number of services it saw.
package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"github.com/compose-spec/compose-go/v2/cli"
	"github.com/sirupsen/logrus"
)

func main() {
	logrus.SetLevel(logrus.ErrorLevel)
	if len(os.Args) != 3 {
		fmt.Fprintln(os.Stderr, "usage: reference-loader COMPOSE_FILE INSTANCES")
		os.Exit(2)
	}
	file := os.Args[1]
	count, err := strconv.Atoi(os.Args[2])
	fail(err)
	begin := time.Now()
	services := 0
	for i := 0; i < count; i++ {
		name := fmt.Sprintf("tenant-%05d", i)
		options, err := cli.NewProjectOptions([]string{file},
			cli.WithWorkingDirectory(filepath.Dir(file)),
			cli.WithName(name),
			cli.WithEnv([]string{"DOMAIN=" + name + ".example", "SEATS=" + strconv.Itoa(10+i%90)}))
		fail(err)
		project, err := options.LoadProject(context.Background())
		fail(err)
		services += len(project.Services)
	}
	fmt.Printf("%.6f %d\n", time.Since(begin).Seconds(), services)
}

func fail(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
