// Package firewall makes the nftables tables of Berth's bridges, and sees to it
// that the firewalls of other programs let them through.
//
// Everything of a bridge is named after it and can be found by that name alone:
// the tables "berth-BRIDGE", and in the tables of others rules with the comment
// "berth:BRIDGE". Each change of a table is one transaction (nft(8)).
package firewall
