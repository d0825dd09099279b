package config

import (
	"path/filepath"

	"github.com/hashicorp/hcl/v2"
)

// Project is what holds the boxes together.
type Project struct {
	Name      string    // [a-z0-9-], at most 30 bytes; the folder's name unless the Envfile says otherwise
	NameRange hcl.Range // where the name was written; zero when it comes from the folder
}

func (d *decoder) decodeProject(p *Project, blocks []declaration, root string) {
	p.Name = slug(filepath.Base(root))
	for _, b := range blocks {
		a := d.content(b.Body, projectSchema).Attributes["name"]
		if a == nil {
			continue
		}
		d.text(a, &p.Name, checkName)
		p.NameRange = a.Expr.Range()
	}
}

var projectSchema = &hcl.BodySchema{Attributes: attributes("name")}
