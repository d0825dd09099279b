package config

import (
	"regexp"
	"regexp/syntax"

	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/function"
)

// What a pattern and the text that it is looked for in can be: far above what an
// Envfile needs, far below what takes long.
const (
	maxRegex   = 4096 // bytes of each
	maxMachine = 8192 // steps that a pattern comes to, with "a{1000}" as a thousand
	reading    = 4    // what reading a byte of a pattern costs, or making a step of it, here and in the function
)

// checkRegex counts what matching does: at worst all of the text is looked at, by
// all of the pattern, for each match that there is.
func checkRegex(args []cty.Value, w *work, all bool) error {
	pattern, ok1 := stringArg(args, 0)
	text, ok2 := stringArg(args, 1)
	for i, s := range []string{pattern, text} {
		if len(s) > maxRegex {
			return function.NewArgErrorf(i, "more than %d bytes are not supported; split cuts text into pieces", maxRegex)
		}
	}
	if err := w.spend(reading * len(pattern)); err != nil {
		return err
	}
	parsed, err := syntax.Parse(pattern, syntax.Perl)
	if !ok1 || !ok2 || err != nil {
		return nil // the function says what is wrong
	}
	steps := machineSize(parsed)
	if steps > maxMachine {
		return function.NewArgErrorf(0, "a pattern that repeats so much is not supported")
	}
	one := steps * (len(text) + regexWork) / regexWork
	if err := w.spend(reading*steps + one); err != nil || !all {
		return err
	}
	re, err := regexp.Compile(pattern)
	if err != nil {
		return nil
	}
	before := 0
	for most := 16; ; most *= 2 { // that many matches are done before they are counted
		n := len(re.FindAllStringIndex(text, most))
		if err := w.spend((n - before) * one); err != nil || n < most {
			return err
		}
		before = n
	}
}

// machineSize is about how many steps a pattern's machine has, found out without
// making it. One that is larger than maxMachine may be said to be any such size.
func machineSize(re *syntax.Regexp) int {
	n := 1 + len(re.Rune)
	for _, sub := range re.Sub {
		if n += machineSize(sub); n > maxMachine {
			return n
		}
	}
	if re.Op == syntax.OpRepeat {
		n *= max(1, re.Min, re.Max)
	}
	return n
}
