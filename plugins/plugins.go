package plugins

import (
	"github.com/berth-dev/berth/plugins/internal/wire"
	"github.com/berth-dev/berth/provider"
	"github.com/berth-dev/berth/provisioner"
)

// ServeProvider serves a provider and does not return: the process ends with
// Berth. Call it from main, with nothing printed before.
//
// Berth calls construct for every call it makes, so that a value has the
// defaults of its arguments until the Envfile's are filled in; a constructor
// does no work. State goes to disk, see [provider.DataDir].
func ServeProvider(construct func() provider.Provider) {
	serve(wire.ProviderSet(construct), wire.Provider)
}

// ServeProvisioner serves a provisioner and does not return: the process ends
// with Berth. Call it from main, with nothing printed before.
//
// Berth calls construct for every block, so that a value has the defaults of
// its arguments until the Envfile's are filled in; a constructor does no work.
func ServeProvisioner(construct func() provisioner.Provisioner) {
	serve(wire.ProvisionerSet(construct), wire.Provisioner)
}
