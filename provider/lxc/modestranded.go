package lxc

import (
	"context"
	"errors"

	"github.com/berth-dev/berth/provider"
)

// strandedMode is that of a user whose host is not prepared: it makes no boxes.
type strandedMode struct{}

// errStranded is what all but Check say; that comes first and knows more.
var errStranded = errors.New("this user's boxes cannot be made or used on this host yet" + fixSetup)

func (strandedMode) check(ctx context.Context, _ store) []string {
	ids, err := ownIDs()
	if err == nil {
		cmd, done, e := inUserNamespace(ctx, ids, "true")
		if err = e; err == nil {
			err = runTool(cmd)
			done()
		}
	}
	if err == nil {
		err = errStranded
	}
	return []string{err.Error()}
}

func (strandedMode) tools(s store) lxcTools                             { return lxcTools{store: s} }
func (strandedMode) leaseIDs(store, []record) (uint32, error)           { return 0, errStranded }
func (strandedMode) network(context.Context, store) (network, error)    { return network{}, errStranded }
func (strandedMode) release(store) error                                { return errStranded }
func (strandedMode) leave(store) error                                  { return errStranded }
func (strandedMode) configure(record, network, func(key, value string)) {}
func (strandedMode) files() []imageFile                                 { return nil }
func (strandedMode) appArmor() string                                   { return "" }
func (strandedMode) tell(record, int, string) error                     { return errStranded }
func (strandedMode) limitsDisks() error                                 { return errStranded }
func (strandedMode) kill(int)                                           {}

func (strandedMode) join(store, *record, provider.Spec) (func(), error) { return nil, errStranded }

func (strandedMode) checkFolders(context.Context, *lxcProvider, []provider.Folder) error {
	return errStranded
}

func (strandedMode) boot(context.Context, *lxcProvider, record, network, provider.Spec) error {
	return errStranded
}

func (strandedMode) reached(context.Context, record, network, int) (string, error) {
	return "", errStranded
}
