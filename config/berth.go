package config

import "github.com/hashicorp/hcl/v2"

// decodeBerth compares required_version with the running one.
func (d *decoder) decodeBerth(blocks []declaration) {
	for _, b := range blocks {
		a := d.content(b.Body, berthSchema).Attributes["required_version"]
		var want string
		d.text(a, &want, nil)
		if want == "" {
			continue
		}
		constraints, err := parseConstraints(want)
		if err != nil {
			d.failValue(a.Expr, "Invalid version", "required_version cannot be %s: %s.", quoted(want), err)
			continue
		}
		if d.o.Version == "" || d.o.Version == "dev" {
			continue
		}
		have, err := parseVersion(d.o.Version)
		if err != nil {
			continue // a build of one's own; its number says nothing
		}
		for _, c := range constraints {
			if !c.allows(have) {
				d.failValue(a.Expr, "Unsuitable version", "This project needs Berth %s, and this is Berth %s.", want, d.o.Version)
				break
			}
		}
	}
}

var berthSchema = &hcl.BodySchema{Attributes: attributes("required_version")}
