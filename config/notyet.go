package config

import "github.com/hashicorp/hcl/v2"

// notYet lists what the language of the Envfile has and this version of Berth
// does not do. All of it is decoded and validated; take its line out here once
// the engine acts on it.
func notYet(name string) bool {
	switch name {
	case "before",
		"after":
		return true
	}
	return false
}

// checkYet reports a block or argument that is not supported yet.
func (d *decoder) checkYet(name, what string, subject hcl.Range) {
	if notYet(name) {
		d.fail(subject, "Not supported yet", "This version of Berth does not support %s yet.", what)
	}
}
