package engine

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"strings"

	"github.com/berth-dev/berth/config"
)

// link is a step of a box's chain: the key says all that the box's disk after
// the step comes from.
type link struct {
	step *step
	key  string
}

// keepable reports whether a box can start from the disk after this step. Not
// between a step and one that runs immediately before it: that would run again.
func (l link) keepable() bool { return l.step.block.Run == "once" && l.step.block.Before == "" }

// chain returns the steps of a box, from the first on, whose outcome can be kept
// for other boxes. The key of each is a hash of
//
//   - the box's image (its digest, if the provider tells), provider, its arguments, login user and host name, which
//     programs write into files when they are installed, and its environment;
//   - where folders that are copied come from: the copies are on the disk, and no
//     other project's business;
//   - the key of the step before it;
//   - the step's type, the plugin's build, its arguments, and the content of all
//     files that it reads.
//
// Steps that always run belong to the chain, since those after them find what
// they did. It ends at a step whose arguments are not known yet, that says
// cache = false, or that has to do with a folder of the host, shared or copied:
// what such a step reads and writes there is not known by its key.
func (e *Engine) chain(ctx context.Context, t *target) ([]link, error) {
	h := sha256.New()
	env, err := json.Marshal(t.box.Env)
	if err != nil {
		return nil, err
	}
	image := t.box.Image
	if img, err := e.imageOf(ctx, t, false); err == nil { // else nothing made of it is here
		image = img.Digest
	}
	hashed(h, "chain 1", image, t.box.Provider.Name, string(t.args), t.box.SSH.User, t.box.Hostname, string(env))
	for _, f := range t.box.Folders {
		if f.Type == config.FolderRsync {
			hashed(h, "copy", e.folderPath(f.Source), f.Target)
		}
	}
	before := h.Sum(nil)
	var links []link
	for _, s := range t.steps {
		if s.block.Run == "never" {
			continue
		}
		if s.args == nil || !e.cacheable(t.box, s) {
			break
		}
		plugin, err := s.plugin.Identity()
		if err != nil {
			return nil, fmt.Errorf("identify the plugin of step %s: %w", s.title(), err)
		}
		if plugin == "" {
			plugin = e.Build
		}
		h.Reset()
		hashed(h, string(before), s.block.Run, plugin, s.hash)
		before = h.Sum(nil)
		links = append(links, link{step: s, key: "step-" + hex.EncodeToString(before[:20])})
		if err := ctx.Err(); err != nil {
			return nil, err
		}
	}
	return links, nil
}

// hashed writes texts so that no two lists of them look the same.
func hashed(w io.Writer, texts ...string) {
	for _, t := range texts {
		fmt.Fprintf(w, "%d:%s\n", len(t), t)
	}
}

// cacheable reports whether a step's outcome is on the box's disk and comes from
// what its key says.
func (e *Engine) cacheable(b *config.Box, s *step) bool {
	if s.block.Cache != nil {
		return *s.block.Cache
	}
	for _, f := range b.Folders {
		for _, name := range namesOfFolder(b, f.Target) {
			if bytes.Contains(s.args, name) {
				return false
			}
			for _, input := range s.inputs {
				if e.mentions(input, name) {
					return false
				}
			}
		}
	}
	return true
}

// namesOfFolder returns how a step can name a folder of the box: by its path, from
// the login user's home too, and by a variable of the box that has the path in it.
func namesOfFolder(b *config.Box, target string) [][]byte {
	names := [][]byte{[]byte(target)}
	home := "/home/" + b.SSH.User
	if b.SSH.User == "root" {
		home = "/root"
	}
	if rel, ok := strings.CutPrefix(target, home+"/"); ok {
		names = append(names, []byte(rel))
	}
	for _, variable := range slices.Sorted(maps.Keys(b.Env)) {
		if strings.Contains(b.Env[variable], target) {
			names = append(names, []byte(variable))
		}
	}
	return names
}

// maxScript is more than a script has.
const maxScript = 1 << 20

// mentions reports whether a file, such as a script, has a text in it.
func (e *Engine) mentions(input string, text []byte) bool {
	input = inputPath(e.Envfile.Root, input)
	st, err := os.Stat(input)
	if err != nil || !st.Mode().IsRegular() || st.Size() > maxScript {
		return false
	}
	b, err := os.ReadFile(input)
	return err == nil && bytes.Contains(b, text)
}
