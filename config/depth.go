package config

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
)

// HCL's parser and evaluator recurse, and Go cannot recover from a stack that
// overflows. These limits are far above what a person writes and far below
// what fills a stack.
const (
	maxDepth     = 64  // brackets, quotes and template directives within each other
	maxOperators = 256 // operators in one bracket, between two commas
	maxExponent  = 100 // of a number literal, and its digits; printing 1e999999999 takes a gigabyte
)

// checkTokens reports, before anything is parsed, source that would exhaust
// the parser or the evaluator.
func checkTokens(tokens hclsyntax.Tokens) *hcl.Diagnostic {
	w := depthWalker{operators: []int{0}, closers: []hclsyntax.TokenType{hclsyntax.TokenNil}}
	for i, tok := range tokens {
		if msg := w.step(tokens, i); msg != "" {
			return &hcl.Diagnostic{
				Severity: hcl.DiagError,
				Summary:  tooComplex,
				Detail:   msg,
				Subject:  tok.Range.Ptr(),
			}
		}
	}
	return nil
}

type depthWalker struct {
	operators  []int                 // one count for each open bracket
	closers    []hclsyntax.TokenType // the bracket that opened each, for newlines
	directives int                   // open %{if} and %{for}
}

// step takes one token and returns what is wrong with it, or "".
func (w *depthWalker) step(tokens hclsyntax.Tokens, i int) string {
	tok, top := tokens[i], len(w.operators)-1
	switch tok.Type {
	case hclsyntax.TokenOBrace, hclsyntax.TokenOBrack, hclsyntax.TokenOParen, hclsyntax.TokenOQuote,
		hclsyntax.TokenOHeredoc, hclsyntax.TokenTemplateInterp, hclsyntax.TokenTemplateControl:
		// a[x][y][z] nests although its brackets do not.
		w.operators[top]++
		if tok.Type == hclsyntax.TokenTemplateControl {
			w.directive(tokens, i)
		}
		w.operators = append(w.operators, 0)
		w.closers = append(w.closers, tok.Type)
	case hclsyntax.TokenCBrace, hclsyntax.TokenCBrack, hclsyntax.TokenCParen, hclsyntax.TokenCQuote,
		hclsyntax.TokenCHeredoc, hclsyntax.TokenTemplateSeqEnd:
		if top > 0 {
			w.operators, w.closers = w.operators[:top], w.closers[:top]
		}
		w.afterClose(tok.Type)
	case hclsyntax.TokenComma:
		w.operators[top] = 0
	case hclsyntax.TokenNewline:
		// In round and square brackets an expression goes on after a newline.
		if o := w.closers[top]; o == hclsyntax.TokenNil || o == hclsyntax.TokenOBrace {
			w.operators[top] = 0
		}
	case hclsyntax.TokenNumberLit:
		return checkNumber(string(tok.Bytes))
	case hclsyntax.TokenIdent, hclsyntax.TokenQuotedLit, hclsyntax.TokenStringLit, hclsyntax.TokenComment,
		hclsyntax.TokenEqual, hclsyntax.TokenEOF:
	default:
		w.operators[top]++
	}
	top = len(w.operators) - 1
	if top+w.directives > maxDepth {
		return fmt.Sprintf("This is nested more than %d levels deep.", maxDepth)
	}
	if w.operators[top] > maxOperators {
		return fmt.Sprintf("This expression has more than %d operators. Use locals to split it.", maxOperators)
	}
	return ""
}

// afterClose forgets what a template's interpolations counted: they stand
// beside each other, not within.
func (w *depthWalker) afterClose(closer hclsyntax.TokenType) {
	if closer == hclsyntax.TokenTemplateSeqEnd {
		w.operators[len(w.operators)-1] = 0
	}
}

// directive counts %{if} and %{for}, whose ends close no bracket.
func (w *depthWalker) directive(tokens hclsyntax.Tokens, i int) {
	if i+1 >= len(tokens) {
		return
	}
	switch string(tokens[i+1].Bytes) {
	case "if", "for":
		w.directives++
	case "endif", "endfor":
		w.directives = max(0, w.directives-1)
	}
}

func checkNumber(lit string) string {
	_, exp, found := strings.Cut(strings.ToLower(lit), "e")
	if !found && len(lit) <= maxExponent {
		return ""
	}
	if n, err := strconv.Atoi(exp); found && err == nil && n >= -maxExponent && n <= maxExponent && len(lit) <= maxExponent {
		return ""
	}
	return fmt.Sprintf("Numbers can have %d digits and exponents up to %d.", maxExponent, maxExponent)
}
