package config

import "github.com/hashicorp/hcl/v2"

// SSH says how to log in to a box.
type SSH struct {
	User string // login name; "dev" unless said otherwise; it must exist in the image
}

func (d *decoder) decodeSSH(b *Box, block *hcl.Block) {
	if block == nil {
		return
	}
	attrs := d.content(block.Body, sshSchema).Attributes
	b.ranges["ssh"] = block.DefRange
	b.note("ssh.", attrs)
	d.text(attrs["user"], &b.SSH.User, checkLogin)
}

var sshSchema = &hcl.BodySchema{Attributes: attributes("user")}
