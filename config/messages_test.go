package config

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// messages are common mistakes, and what is said of them: the line, what is
// underlined, and what to write instead.
var messages = []struct{ name, src, want string }{
	{
		"variable in a default", "variable \"l\" { default = \"1\" }\nvariable \"x\" { default = var.l }",
		"2 var.l: The default of a variable cannot use variables or locals. A local can use both: locals { NAME = ... }.",
	},
	{
		"local in a default", "variable \"x\" { default = local.l }",
		"1 local.l: The default of a variable cannot use variables or locals. A local can use both: locals { NAME = ... }.",
	},
	{
		"type in quotes", "variable \"x\" {\n  type    = \"list(string)\"\n  default = []\n}",
		`2 "list(string)": A type specification is either a primitive type keyword (bool, number, string) or a complex type constructor call, like list(string). Write it without quotes: list(string).`,
	},
	{
		"type like another", "variable \"x\" {\n  type    = strng\n  default = 1\n}",
		`2 strng: The keyword "strng" is not a valid type specification. Did you mean "string"?`,
	},
	{
		"type like another within", "variable \"x\" {\n  type    = map(lst(string))\n  default = {}\n}",
		`2 lst(string): Keyword "lst" is not a valid type constructor. Did you mean "list"?`,
	},
	{
		"type without its argument", "variable \"x\" {\n  type    = set\n  default = []\n}",
		"2 set: The set type constructor requires one argument specifying the element type.",
	},
	{
		"division by zero", box(`message = "${1/0}"`),
		`3 "${1/0}": This expression makes an infinite number, as a division by zero does.`,
	},
	{
		"what is shown", "variable \"p\" {\n  sensitive = true\n  default   = \"hunter2\"\n}\n" + box(`message = "it is ${var.p}"`),
		`7 "it is ${var.p}": "message" cannot be sensitive: its value is shown to whoever uses the box.`,
	},
	{
		"environment", box(`env = { L = ["a"], "MY-VAR" = 1, "X Y" = {}, N = null }`),
		`3 ["a"]: The value of "L" in "env" must be a string; this is a list.
3 "MY-VAR": "MY-VAR" is no name for an environment variable: use letters, digits and '_', and begin with a letter or '_'.
3 "X Y": "X Y" is no name for an environment variable: use letters, digits and '_', and begin with a letter or '_'.
3 {}: The value of "X Y" in "env" must be a string; this is a map.`,
	},
	{
		"environment from elsewhere", "locals {\n  e = { A = [], B = {}, C = [] }\n}\n" + box(`env = local.e`),
		`6 local.e: The value of "A" in "env" must be a string; this is a list.
6 local.e: The value of "B" in "env" must be a string; this is a map.
6 local.e: The value of "C" in "env" must be a string; this is a list.`,
	},
	{
		"environment that is no map", box(`env = ["a"]`),
		`3 ["a"]: "env" must be a map of strings, such as { NAME = "value" }; this is a list.`,
	},
	{
		"shell variable", box(`message = "cd ${HOME} ${HOME.x}"`),
		`3 HOME: There is nothing named "HOME"; values are var.NAME, local.NAME and path.NAME. For a variable of the shell write $HOME or $${HOME}.
3 HOME.x: There is nothing named "HOME"; values are var.NAME, local.NAME and path.NAME.`,
	},
	{
		"shell variable alone", box(`message = "${HOME}"`),
		`3 HOME: There is nothing named "HOME"; values are var.NAME, local.NAME and path.NAME. For a variable of the shell write $HOME or $${HOME}.`,
	},
	{
		"text within a template", box(`message = "${upper(aap)}"`),
		`3 aap: There is nothing named "aap". Text is written in quotes: "aap".`,
	},
	{
		"percent brace", box(`message = "%{http_code}"`),
		`3 http_code: "http_code" is not a valid template control keyword. Where text is to hold %{ itself, write %%{.`,
	},
	{
		"box for its name", box(`depends_on = [box.db, box.db.name, box.db.ip]`),
		`3 box.db: The values of a box are known once it is up, so only provisioner blocks can use them. To name the box, as in depends_on, write "db".
3 box.db.name: The values of a box are known once it is up, so only provisioner blocks can use them. To name the box, as in depends_on, write "db".
3 box.db.ip: The values of a box are known once it is up, so only provisioner blocks can use them.`,
	},
	{
		"argument twice", box("resources {\n  pids = 100\n  pids = 200\n}"),
		`5 pids: The argument "pids" is set already, at Envfile line 4.`,
	},
	{
		"argument of another block", box(`network "x" { type = "dhcp" }`),
		`3 type: There is no argument "type" here. Allowed here: ip.`,
	},
	{
		"argument of the box", box(`network "x" { image = "dhcp" }`),
		`3 image: There is no argument "image" here. It belongs in a "box" block.`,
	},
	{
		"nothing like it", box("forward \"x\" {\n  guest = 1\n  protocol = \"http\"\n}"),
		`5 "http": "protocol" must be tcp or udp, not "http".`,
	},
	{
		"sensitive keys", "variable \"x\" {\n  default   = [\"a\"]\n  sensitive = true\n}\n" + box(`for_each = var.x`),
		`7 var.x: "for_each" cannot be sensitive, since its keys are the names of boxes.`,
	},
	{
		"key that makes no name", box(`for_each = { "Big Site" = 1 }`),
		`3 "Big Site": The key "Big Site" cannot make a box, whose name would be "a-Big Site": use small letters, digits and hyphens, and begin with a letter or digit.`,
	},
	{
		"all primary by number", box("count = 2\nprimary = true"),
		`4 true: At most one box can be primary, and this makes both "a-0" and "a-1" so. To choose the first, write primary = count.index == 0.`,
	},
	{
		"all primary by key", box("for_each = [\"x\", \"y\"]\nprimary = true"),
		`4 true: At most one box can be primary, and this makes both "a-x" and "a-y" so. To choose the first, write primary = each.key == "x".`,
	},
	{
		"port twice", box("forward \"x\" {\n  guest = 1\n  host = 8080\n}\nforward \"y\" {\n  guest = 2\n  host = 8080\n}"),
		`9 8080: On the host, tcp 8080 of 127.0.0.1 has the forward "x" of box "a" already, at Envfile line 5. Take another, leave "host" out to have one chosen, or allow auto_correct.`,
	},
	{
		"socket twice", box("forward \"x\" {\n  guest = 1\n  host = \"/s\"\n}\nforward \"y\" {\n  guest = 2\n  host = \"/s\"\n}"),
		`9 "/s": On the host, /s has the forward "x" of box "a" already, at Envfile line 5. Take another.`,
	},
	{
		"port in the box twice", box("forward \"x\" {\n  guest = 5000\n  host = 1\n  reverse = true\n}\nforward \"y\" {\n  guest = 5000\n  host = 2\n  reverse = true\n}"),
		`9 5000: In the box, port 5000 has the forward "x" of box "a" already, at Envfile line 4. Take another.`,
	},
	{
		"socket of all boxes", box("count = 2\nforward \"x\" {\n  guest = 1\n  host = \"/s\"\n}"),
		`6 "/s": On the host, /s cannot lead to both "a-0" and "a-1". Give each box its own.`,
	},
	{
		"port of all boxes", box("count = 3\nforward \"x\" {\n  guest = 1\n  host = 8080\n}"),
		`6 8080: On the host, tcp 8080 of 127.0.0.1 cannot lead to both "a-0" and "a-1". Give each box its own, such as host = 8080 + count.index, leave "host" out to have one chosen, or allow auto_correct.`,
	},
	{
		"size without a unit", box("resources { memory = 512 }"),
		`3 512: "memory" must be at least 16MiB, not 512 bytes. With less no box boots. A number without a unit is bytes; write "512MiB" for as many MiB.`,
	},
	{
		"size with a unit", box(`resources { memory = "1MiB" }`),
		`3 "1MiB": "memory" must be at least 16MiB, not 1MiB. With less no box boots.`,
	},
	{
		"heredoc without end", box("message = <<-EOT\n  x\n  EOT2"),
		"3 <<-EOT: The text that begins with <<-EOT has no end: a line with nothing but EOT.",
	},
	{
		"second heredoc without end", box("message = <<A\nx\nA\nhostname = <<B\nx"),
		"6 <<B: The text that begins with <<B has no end: a line with nothing but B.",
	},
	{
		"heredoc without end around another", box("message = <<A\n${<<B\ny\nB\n}"),
		"3 <<A: The text that begins with <<A has no end: a line with nothing but A.",
	},
	{
		"argument without value", box("message"),
		`3 message: An argument or block definition is required here. To set an argument, use the equals sign "=" to introduce the argument value.`,
	},
	{
		"brace too many", box("}"),
		"4 }: This } closes nothing: there is one } too many, here or above.",
	},
}

// TestMessages fixes what a newcomer reads who makes a common mistake: the line,
// what is underlined, and what to write instead. In a box, the image is there.
func TestMessages(t *testing.T) {
	for _, tt := range messages {
		t.Run(tt.name, func(t *testing.T) {
			e, diags := Parse([]Source{{Name: "Envfile", Bytes: []byte(tt.src + "\n")}}, t.TempDir(), Options{})
			var got []string
			for _, d := range diags {
				got = append(got, fmt.Sprintf("%d %s: %s", d.Subject.Start.Line, sourceText(e, *d.Subject), d.Detail))
			}
			if diff := cmp.Diff(tt.want, strings.Join(got, "\n")); diff != "" {
				t.Errorf("problems (-want +got):\n%s", diff)
			}
		})
	}
}

// box is a box with these lines in it, the first of which is line 3.
func box(lines string) string { return "box \"a\" {\n  image = \"x\"\n" + lines + "\n}" }
