// Reference-config reads Compose projects with the library inside docker compose and prints what it made of each, so that
// Escadre's own loader can be compared with it (crates/escadre-model/examples/compose_random.rs).
//
// usage: reference-config CASES >ANSWERS
// Each folder directly below CASES that holds a case.json is a project: {"files": [...], "env": {...}, "profiles": [...]}.
// A line of JSON comes out for each: {"case": NAME, "model": {...}}, or {"case": NAME, "refused": WORDS}.
// As docker compose does, a `.env` beside the files is read; other than it does, the caller's environment is not.
package main

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/compose-spec/compose-go/v2/cli"
	"github.com/sirupsen/logrus"
)

type input struct {
	Files    []string          `json:"files"`
	Env      map[string]string `json:"env"`
	Profiles []string          `json:"profiles"`
}

type answer struct {
	Case    string          `json:"case"`
	Model   json.RawMessage `json:"model,omitempty"`
	Refused string          `json:"refused,omitempty"`
}

// load gives the normalised model of one case. A panic of the library counts as a refusal, and says so.
func load(folder string) (model json.RawMessage, err error) {
	defer func() {
		if panicked := recover(); panicked != nil {
			err = fmt.Errorf("panic: %v", panicked)
		}
	}()
	text, err := os.ReadFile(filepath.Join(folder, "case.json"))
	if err != nil {
		return nil, err
	}
	var in input
	if err := json.Unmarshal(text, &in); err != nil {
		return nil, err
	}
	var variables, files []string
	for name, value := range in.Env {
		variables = append(variables, name+"="+value)
	}
	for _, file := range in.Files {
		files = append(files, filepath.Join(folder, file))
	}
	options, err := cli.NewProjectOptions(files,
		cli.WithWorkingDirectory(folder),
		cli.WithEnv(variables),
		cli.WithEnvFiles(),
		cli.WithDotEnv,
		cli.WithProfiles(in.Profiles),
		cli.WithResolvedPaths(true),
		cli.WithNormalization(true),
		cli.WithConsistency(true),
		cli.WithInterpolation(true))
	if err != nil {
		return nil, err
	}
	project, err := options.LoadProject(context.Background())
	if err != nil {
		return nil, err
	}
	return project.MarshalJSON()
}

func main() {
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "usage: reference-config CASES >ANSWERS")
		os.Exit(2)
	}
	logrus.SetOutput(io.Discard)
	root, err := filepath.Abs(os.Args[1])
	fail(err)
	folders, err := os.ReadDir(root)
	fail(err)
	out := bufio.NewWriter(os.Stdout)
	encoder := json.NewEncoder(out)
	for _, folder := range folders {
		if _, err := os.Stat(filepath.Join(root, folder.Name(), "case.json")); err != nil {
			continue
		}
		line := answer{Case: folder.Name()}
		model, err := load(filepath.Join(root, folder.Name()))
		if err != nil {
			line.Refused = err.Error()
		} else {
			line.Model = model
		}
		fail(encoder.Encode(line))
	}
	fail(out.Flush())
}

func fail(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
