package config

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/hashicorp/hcl/v2"
)

// tabWidth is the number of columns between tab stops in a quoted line.
const tabWidth = 4

// snippet is a line of source as it is shown, and the columns to underline.
type snippet struct {
	text          string
	before, under int // columns
}

// snippetOf quotes the first line of r in at most limit columns.
func snippetOf(src []byte, r hcl.Range, limit int) (snippet, bool) {
	line, start, ok := lineAt(src, r.Start.Byte)
	if !ok {
		return snippet{}, false
	}
	from := min(r.Start.Byte-start, len(line))
	to := min(max(r.End.Byte-start, from), len(line))
	if r.End.Line > r.Start.Line {
		to = max(from, len(strings.TrimRight(string(line), " \t")))
	}
	var b columnBuilder
	b.add(line[:from])
	before := b.cols
	b.add(line[from:to])
	s := snippet{before: before, under: max(1, b.cols-before)}
	b.add(line[to:])
	s.text = b.String()
	return s.fit(limit), true
}

// fit cuts columns off a long line, keeping the start of what is underlined.
func (s snippet) fit(limit int) snippet {
	if columns(s.text) <= limit {
		return s
	}
	skip := 0
	if s.before+min(s.under, limit/2) > limit-3 {
		skip = s.before - limit/4
	}
	var b strings.Builder
	at, first := 0, -1
	for _, r := range s.text {
		w := runeWidth(r)
		if at >= skip && at+w <= skip+limit-6 {
			if first < 0 {
				first = at
			}
			b.WriteRune(r)
		}
		at += w
	}
	first = max(first, 0)
	prefix := ""
	if first > 0 {
		prefix = "..."
	}
	s.before = max(0, s.before-first) + len(prefix)
	s.text = prefix + b.String() + "..."
	s.under = max(1, min(s.under, columns(s.text)-s.before))
	return s
}

// columnBuilder writes text as a terminal shows it and counts the columns.
type columnBuilder struct {
	strings.Builder
	cols int
}

func (b *columnBuilder) add(p []byte) {
	for len(p) > 0 {
		r, n := utf8.DecodeRune(p)
		p = p[n:]
		if r == '\t' {
			for range tabWidth - b.cols%tabWidth {
				b.WriteByte(' ')
				b.cols++
			}
			continue
		}
		if !unicode.IsPrint(r) && !unicode.Is(unicode.Mn, r) {
			r = utf8.RuneError
		}
		b.WriteRune(r)
		b.cols += runeWidth(r)
	}
}

// runeWidth is the number of columns that a character takes on a terminal.
func runeWidth(r rune) int {
	if unicode.In(r, unicode.Mn, unicode.Me, unicode.Cf) {
		return 0
	}
	for _, wide := range wideRunes {
		if r >= wide[0] && r <= wide[1] {
			return 2
		}
	}
	return 1
}

// wideRunes are the blocks of Unicode that terminals show two columns wide: an
// outline of East_Asian_Width=W and =F (Unicode Standard Annex 11).
var wideRunes = [...][2]rune{
	{0x1100, 0x115f},   // Hangul Jamo
	{0x2e80, 0x303e},   // CJK radicals and punctuation
	{0x3041, 0xa4cf},   // kana, CJK ideographs, Yi
	{0xac00, 0xd7a3},   // Hangul syllables
	{0xf900, 0xfaff},   // CJK compatibility ideographs
	{0xfe30, 0xfe6f},   // CJK compatibility forms
	{0xff01, 0xff60},   // fullwidth forms
	{0xffe0, 0xffe6},   // fullwidth signs
	{0x1f300, 0x1f64f}, // pictographs and emoticons
	{0x1f680, 0x1f6ff}, // transport and maps
	{0x1f900, 0x1f9ff}, // more pictographs
	{0x20000, 0x3fffd}, // further ideographs
}

func columns(s string) int {
	n := 0
	for _, r := range s {
		n += runeWidth(r)
	}
	return n
}

// printable replaces what would move a terminal's cursor: names and values
// quoted in messages come from files that may be anyone's.
func printable(s string) string {
	return strings.Map(func(r rune) rune {
		if r == '\n' || unicode.IsPrint(r) || unicode.Is(unicode.Mn, r) {
			return r
		}
		return utf8.RuneError
	}, s)
}

// wrap breaks text into lines of at most limit columns, at spaces. Lines that
// the text has of its own stay.
func wrap(text string, limit int) []string {
	var out []string
	for para := range strings.SplitSeq(printable(text), "\n") {
		line := ""
		for word := range strings.FieldsSeq(para) {
			switch {
			case line == "":
				line = word
			case columns(line)+1+columns(word) > limit:
				out = append(out, line)
				line = word
			default:
				line += " " + word
			}
		}
		out = append(out, line)
	}
	return out
}
