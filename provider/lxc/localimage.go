package lxc

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"regexp"
	"strings"

	"github.com/berth-dev/berth/provider"
)

// localPrefix begins the names of images that were imported.
const localPrefix = "local:"

// localForm keeps them usable as names of files.
var localForm = regexp.MustCompile(`^[a-z0-9][a-z0-9._-]*$`)

const maxLocal = 63

// localRule says so.
const localRule = "after local: come small letters, digits, '.', '_' and '-', at most 63, a letter or digit first"

func isLocal(name string) bool { return strings.HasPrefix(name, localPrefix) }

// imagePath is where the store has an image, as it would be made now.
func (p *lxcProvider) imagePath(name string) (string, error) {
	if isLocal(name) {
		return p.store.localFile(name)
	}
	suite, err := parseImage(name)
	if err != nil {
		return "", err
	}
	return p.imageFile(suite), nil
}

func (s store) localFile(name string) (string, error) {
	short := strings.TrimPrefix(name, localPrefix)
	if len(short) > maxLocal || !localForm.MatchString(short) {
		return "", &provider.ArgError{Arg: "box.image", Err: fmt.Errorf(
			"%w: %q is no name of an imported image: %s", provider.ErrImage, name, localRule)}
	}
	return filepath.Join(s.images(), "local-"+short+".json"), nil
}

// localImage returns an image that was imported.
func (p *lxcProvider) localImage(ctx context.Context, name string, report provider.Report) (image, error) {
	path, err := p.store.localFile(name)
	if err != nil {
		return image{}, err
	}
	done, err := p.store.use(ctx, report)
	if err != nil {
		return image{}, err
	}
	defer done()
	img, err := p.store.loadImage(path)
	if errors.Is(err, fs.ErrNotExist) {
		return image{}, p.store.noLocal(name)
	}
	if err == nil {
		touch(path)
	}
	return img, err
}

// noLocal says that there is no such image, and which there are.
func (s store) noLocal(name string) error {
	var have []string
	images, _ := s.listImages() // it is for the message alone
	for _, img := range images {
		if isLocal(img.Name) {
			have = append(have, img.Name)
		}
	}
	hint := "none has been imported"
	if len(have) > 0 {
		hint = "there are " + strings.Join(have, ", ")
	}
	return &provider.ArgError{Arg: "box.image", Err: fmt.Errorf("%w: no image %s has been imported on this host (%s): berth image import FILE %s",
		provider.ErrImage, name, hint, strings.TrimPrefix(name, localPrefix))}
}
