package firewall

import (
	"net"
	"net/netip"

	"github.com/google/nftables/expr"
)

// The families of nfproto, as NFPROTO_* in linux/netfilter.h.
const (
	protoIPv4 = 2
	protoIPv6 = 10
)

// match joins parts of a rule.
func match(parts ...[]expr.Any) []expr.Any {
	var all []expr.Any
	for _, p := range parts {
		all = append(all, p...)
	}
	return all
}

// link compares the name of an interface, such as expr.MetaKeyIIFNAME.
func link(key expr.MetaKey, op expr.CmpOp, name string) []expr.Any {
	return []expr.Any{
		&expr.Meta{Key: key, Register: 1},
		// As iptables writes it, so that it can read it back.
		&expr.Cmp{Op: op, Register: 1, Data: append([]byte(name), 0)},
	}
}

func from(name string) []expr.Any { return link(expr.MetaKeyIIFNAME, expr.CmpOpEq, name) }
func to(name string) []expr.Any   { return link(expr.MetaKeyOIFNAME, expr.CmpOpEq, name) }

// frame matches Ethernet frames of a subnet's family (linux/if_ether.h).
func frame(p netip.Prefix) []expr.Any {
	if p.Addr().Is6() {
		return etherType([]byte{0x86, 0xdd})
	}
	return etherType([]byte{0x08, 0x00})
}

// etherType matches Ethernet frames by what is in them.
func etherType(t []byte) []expr.Any {
	return []expr.Any{
		&expr.Meta{Key: expr.MetaKeyPROTOCOL, Register: 1},
		&expr.Cmp{Op: expr.CmpOpEq, Register: 1, Data: t},
	}
}

// family matches packets of a subnet's family, in tables that see both.
func family(p netip.Prefix) []expr.Any {
	proto := byte(protoIPv4)
	if p.Addr().Is6() {
		proto = protoIPv6
	}
	return []expr.Any{
		&expr.Meta{Key: expr.MetaKeyNFPROTO, Register: 1},
		&expr.Cmp{Op: expr.CmpOpEq, Register: 1, Data: []byte{proto}},
	}
}

// Where addresses begin in the headers of IPv4 and IPv6.
const (
	source4, dest4 = 12, 16
	source6, dest6 = 8, 24
)

func source(p netip.Prefix, op expr.CmpOp) []expr.Any {
	if p.Addr().Is6() {
		return address(source6, p, op)
	}
	return address(source4, p, op)
}

func dest(p netip.Prefix, op expr.CmpOp) []expr.Any {
	if p.Addr().Is6() {
		return address(dest6, p, op)
	}
	return address(dest4, p, op)
}

// address compares the address at an offset of the header with a subnet.
func address(offset uint32, p netip.Prefix, op expr.CmpOp) []expr.Any {
	first := p.Masked().Addr().AsSlice()
	size := uint32(len(first))
	return []expr.Any{
		&expr.Payload{DestRegister: 1, Base: expr.PayloadBaseNetworkHeader, Offset: offset, Len: size},
		&expr.Bitwise{SourceRegister: 1, DestRegister: 1, Len: size, Mask: net.CIDRMask(p.Bits(), int(size)*8), Xor: make([]byte, size)},
		&expr.Cmp{Op: op, Register: 1, Data: first},
	}
}

func accept() []expr.Any { return []expr.Any{&expr.Verdict{Kind: expr.VerdictAccept}} }
func drop() []expr.Any   { return []expr.Any{&expr.Verdict{Kind: expr.VerdictDrop}} }
