package config

// Options say where values come from besides the Envfile. The zero value is
// ready to use.
type Options struct {
	// Vars are values given on the command line as --var name=value. They win
	// over all others.
	Vars map[string]string
	// Getenv looks an environment variable up, as os.LookupEnv does. It serves
	// env() and BERTH_VAR_name. nil: nothing is set.
	Getenv func(string) (string, bool)
	// Home is what path.home stands for. Empty: it is not known.
	Home string
	// User is the path of the user's own defaults file. Empty or missing: none.
	User string
	// Version is Berth's, compared with required_version. Empty or "dev": not
	// compared.
	Version string
}

// envPrefix starts the names of environment variables that set variables.
const envPrefix = "BERTH_VAR_"

func (o Options) lookupEnv(name string) (string, bool) {
	if o.Getenv == nil {
		return "", false
	}
	return o.Getenv(name)
}
