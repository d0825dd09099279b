package lxc

import (
	"bytes"
	"crypto/sha1" // names in a directory of certificates, not a protection
	"encoding/asn1"
	"encoding/binary"
	"fmt"
	"slices"
	"strings"
	"unicode/utf16"
)

// rdnSET is one part of a distinguished name; encoding/asn1 writes a type of this
// ending as a SET, sorted as DER asks.
type rdnSET []struct {
	Type  asn1.ObjectIdentifier
	Value asn1.RawValue
}

// subjectHash is the name, without its number, under which OpenSSL looks for a
// certificate in a directory, given the DER of the certificate's subject: what
// openssl-rehash(1) links. It is the SHA-1 of the subject with each string made
// UTF-8, in lower case, its spaces single and none around it, and without the
// outermost header (X509_NAME_hash_ex(3)).
func subjectHash(subject []byte) (string, error) {
	var name []rdnSET
	if rest, err := asn1.Unmarshal(subject, &name); err != nil || len(rest) > 0 {
		return "", fmt.Errorf("read the subject of a certificate: %w", err)
	}
	var canonical bytes.Buffer
	for _, rdn := range name {
		for i := range rdn {
			rdn[i].Value = canonicalString(rdn[i].Value)
		}
		der, err := asn1.Marshal(rdn)
		if err != nil {
			return "", fmt.Errorf("write the subject of a certificate: %w", err)
		}
		canonical.Write(der)
	}
	sum := sha1.Sum(canonical.Bytes())
	return fmt.Sprintf("%08x", binary.LittleEndian.Uint32(sum[:4])), nil
}

// canonicalString knows the kinds of string that crypto/x509 reads.
func canonicalString(v asn1.RawValue) asn1.RawValue {
	var text string
	switch v.Tag {
	case asn1.TagUTF8String, asn1.TagPrintableString, asn1.TagIA5String:
		text = string(v.Bytes)
	case asn1.TagT61String: // OpenSSL reads it as Latin-1
		for _, b := range v.Bytes {
			text += string(rune(b))
		}
	case asn1.TagBMPString:
		var units []uint16
		for pair := range slices.Chunk(v.Bytes, 2) {
			units = append(units, binary.BigEndian.Uint16(append(pair[:len(pair):len(pair)], 0)))
		}
		text = string(utf16.Decode(units))
	default:
		return v
	}
	words := strings.FieldsFunc(text, func(r rune) bool { return strings.ContainsRune(" \t\n\v\f\r", r) })
	lower := strings.Map(func(r rune) rune { // of ASCII alone
		if r >= 'A' && r <= 'Z' {
			return r + 'a' - 'A'
		}
		return r
	}, strings.Join(words, " "))
	return asn1.RawValue{Tag: asn1.TagUTF8String, Bytes: []byte(lower)}
}
