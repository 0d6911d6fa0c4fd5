// Reference-config reads Compose projects with the library inside docker compose, one after another for as long as it is asked, so that Escadre's own loader
// can be compared with it (crates/escadre-model/examples/compose_random.rs).
//
// Each line of standard input is a question in JSON, each line of standard output its answer, in the same order:
//
//	{"folder": F, "files": [...], "env": {...}, "profiles": [...]}   ->   {"model": {...}}, or {"refused": WORDS}
//	{"schema": true}                                                 ->   {"schema": the JSON schema of the Compose Specification}
//
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
	"github.com/compose-spec/compose-go/v2/schema"
	"github.com/sirupsen/logrus"
)

type question struct {
	Schema   bool              `json:"schema"`
	Folder   string            `json:"folder"`
	Files    []string          `json:"files"`
	Env      map[string]string `json:"env"`
	Profiles []string          `json:"profiles"`
}

type answer struct {
	Schema  json.RawMessage `json:"schema,omitempty"`
	Model   json.RawMessage `json:"model,omitempty"`
	Refused string          `json:"refused,omitempty"`
}

// load gives the normalised model of one project. A panic of the library counts as a refusal, and says so.
func load(in question) (model json.RawMessage, err error) {
	defer func() {
		if panicked := recover(); panicked != nil {
			err = fmt.Errorf("panic: %v", panicked)
		}
	}()
	// As a shell would: the library looks for some files from where the process stands.
	if err := os.Chdir(in.Folder); err != nil {
		return nil, err
	}
	var variables, files []string
	for name, value := range in.Env {
		variables = append(variables, name+"="+value)
	}
	for _, file := range in.Files {
		files = append(files, filepath.Join(in.Folder, file))
	}
	options, err := cli.NewProjectOptions(files,
		cli.WithWorkingDirectory(in.Folder),
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

func answered(line []byte) answer {
	var in question
	if err := json.Unmarshal(line, &in); err != nil {
		return answer{Refused: "the question: " + err.Error()}
	}
	if in.Schema {
		return answer{Schema: json.RawMessage(schema.Schema)}
	}
	model, err := load(in)
	if err != nil {
		return answer{Refused: err.Error()}
	}
	return answer{Model: model}
}

func main() {
	logrus.SetOutput(io.Discard)
	lines := bufio.NewReader(os.Stdin)
	out := bufio.NewWriter(os.Stdout)
	encoder := json.NewEncoder(out)
	for {
		line, err := lines.ReadBytes('\n')
		if err == io.EOF {
			return
		}
		fail(err)
		fail(encoder.Encode(answered(line)))
		fail(out.Flush())
	}
}

func fail(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
