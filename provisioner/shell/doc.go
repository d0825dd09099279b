// Package shell is the provisioner that runs a script in a box.
//
//	provisioner "shell" {
//	  inline = ["apt-get update", "apt-get install -y nginx"]
//	}
//	provisioner "shell" {
//	  script = "setup.sh"
//	  args   = ["--fast"]
//	  env    = { KEY = "value" }
//	}
//
// The lines of inline are one script. A script runs as root unless privileged is
// false, in the login user's home unless dir is set.
//
// What runs it: interpreter, if set; else the program of its #! line, with that
// line's argument, as the kernel would; else bash -e, or sh -e in a box without
// bash, so that the first command that fails ends the step. A file with NUL
// bytes is a program and is executed itself. Line ends of Windows become those
// of Unix first.
//
// The script lies in a fresh folder below /tmp that only the login user and root
// can read, and is removed whatever comes. It need not be executable, on the
// host or in the box, and neither script nor env shows up in the box's ps; args
// do.
package shell
