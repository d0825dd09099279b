package app

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/urfave/cli/v2"

	"github.com/berth-dev/berth/internal/engine"
	"github.com/berth-dev/berth/provider"
)

func statusCommand(d *deps) *cli.Command {
	return &cli.Command{
		Name:      "status",
		Usage:     "show how the boxes are",
		ArgsUsage: "[NAME...]",
		Flags:     []cli.Flag{jsonFlag()},
		Action: func(c *cli.Context) error {
			e, err := d.engine(true)
			if err != nil {
				return err
			}
			all, err := e.Status(c.Context, c.Args().Slice())
			if err != nil {
				return err
			}
			if c.Bool("json") {
				boxes := make([]statusJSON, 0, len(all))
				for _, s := range all {
					boxes = append(boxes, statusOf(s))
				}
				return writeJSON(d.ui.Out, map[string]any{"mode": modeName(), "boxes": boxes})
			}
			if err := writeStatus(d.ui.Out, all); err != nil || modeName() == "root" {
				return err
			}
			_, err = fmt.Fprintln(d.ui.Out, "\nThese are your own boxes, which run without root; those of root are other ones.")
			return err
		},
	}
}

// modeName says whose boxes these are: root's, or those of a user, which run
// without root's rights.
func modeName() string {
	if os.Geteuid() == 0 {
		return "root"
	}
	return "rootless"
}

func jsonFlag() cli.Flag { return &cli.BoolFlag{Name: "json", Usage: "write JSON"} }

func writeJSON(w io.Writer, v any) error {
	enc := json.NewEncoder(w)
	enc.SetIndent("", "  ")
	enc.SetEscapeHTML(false)
	return enc.Encode(v)
}

// writeStatus writes a table for people.
func writeStatus(w io.Writer, all []engine.Status) error {
	if len(all) == 0 {
		_, err := fmt.Fprintln(w, "The Envfile declares no box.")
		return err
	}
	tw := newTable(w, "BOX", "STATE", "PROVIDER", "ADDRESS", "MEMORY", "CPU TIME")
	var notes []string
	for _, s := range all {
		memory, cpu := "-", "-"
		if s.State == provider.Running || s.State == provider.Frozen {
			memory, cpu = memoryOf(s.Box), s.Box.Usage.CPU.Round(10*time.Millisecond).String()
		}
		tw.row(s.Name, string(s.State), dash(s.Provider), dash(addressOf(s)), memory, cpu)
		if s.Problem != "" {
			notes = append(notes, s.Name+": "+s.Problem)
		}
		if s.Declared && s.ForkOf != "" {
			notes = append(notes, s.Name+": a fork of "+s.ForkOf)
		}
		if !s.Declared {
			notes = append(notes, s.Name+": the Envfile does not declare it; berth destroy "+s.Name+" removes it")
		}
	}
	if err := tw.flush(); err != nil {
		return err
	}
	return writeNotes(w, notes)
}

func addressOf(s engine.Status) string {
	if s.State != provider.Running {
		return ""
	}
	all := []string{strings.TrimSuffix(s.Box.SSHAddr, ":22")}
	for _, n := range s.Box.Networks {
		ip, _, _ := strings.Cut(n.IP, "/")
		all = append(all, fmt.Sprintf("%s (%s)", ip, n.Name))
	}
	return strings.Join(all, ", ")
}

func dash(s string) string {
	if s == "" {
		return "-"
	}
	return s
}

// memoryOf shows use and limit: "48 / 512 MiB".
func memoryOf(b provider.Box) string {
	const mib = 1 << 20
	if b.Limits.Memory == 0 {
		return fmt.Sprintf("%d MiB", b.Usage.Memory/mib)
	}
	return fmt.Sprintf("%d / %d MiB", b.Usage.Memory/mib, b.Limits.Memory/mib)
}

// statusJSON is a box in `berth status --json`. Fields are added, never changed.
type statusJSON struct {
	Name        string      `json:"name"`
	ID          string      `json:"id,omitempty"`
	State       string      `json:"state"`
	Problem     string      `json:"problem,omitempty"`
	Declared    bool        `json:"declared"`
	ForkOf      string      `json:"fork_of,omitempty"`
	Provider    string      `json:"provider,omitempty"`
	Image       string      `json:"image,omitempty"`
	Address     string      `json:"ssh_address,omitempty"`
	User        string      `json:"ssh_user,omitempty"`
	Networks    []netJSON   `json:"networks,omitempty"`
	Created     *time.Time  `json:"created,omitempty"`
	Started     *time.Time  `json:"started,omitempty"`
	Provisioned bool        `json:"provisioned"`
	Steps       []stepJSON  `json:"steps"`
	Forwards    []portJSON  `json:"forwards"`
	Limits      *limitsJSON `json:"limits,omitempty"`
	Usage       *usageJSON  `json:"usage,omitempty"`
}

// netJSON is a box's place in a private network.
type netJSON struct {
	Name string `json:"name"`
	IP   string `json:"ip"` // with the prefix length
}

type stepJSON struct {
	ID     string    `json:"id"`
	Status string    `json:"status"`
	At     time.Time `json:"at"`
	Error  string    `json:"error,omitempty"`
}

// limitsJSON are limits as the kernel has them; one that is not set is left out.
type limitsJSON struct {
	CPUs      float64 `json:"cpus,omitempty"`
	CPUWeight int64   `json:"cpu_weight,omitempty"`
	CPUSet    string  `json:"cpuset,omitempty"`
	Memory    int64   `json:"memory_bytes,omitempty"`
	Swap      *int64  `json:"swap_bytes,omitempty"`
	PIDs      int64   `json:"pids,omitempty"`
	Disk      int64   `json:"disk_bytes,omitempty"`
	IO        *ioJSON `json:"io,omitempty"`
}

type ioJSON struct {
	Weight    int64 `json:"weight,omitempty"`
	Read      int64 `json:"read_bytes_per_second,omitempty"`
	Write     int64 `json:"write_bytes_per_second,omitempty"`
	ReadIOPS  int64 `json:"read_iops,omitempty"`
	WriteIOPS int64 `json:"write_iops,omitempty"`
}

type usageJSON struct {
	CPU    float64 `json:"cpu_seconds"`
	Memory int64   `json:"memory_bytes"`
	Swap   int64   `json:"swap_bytes"`
	PIDs   int64   `json:"pids"`
}

func statusOf(s engine.Status) statusJSON {
	j := statusJSON{Name: s.Name, State: string(s.State), Problem: s.Problem, Declared: s.Declared, ForkOf: s.ForkOf,
		Provider: s.Provider, Image: s.Image, Steps: []stepJSON{}, Forwards: portsOf([]engine.PortsOf{s.Ports})}
	if r := s.Record; r != nil {
		j.ID, j.User, j.Created, j.Provisioned = r.ID, r.SSH.User, &r.Created, r.Provisioned
		for _, step := range r.Steps {
			j.Steps = append(j.Steps, stepJSON{step.ID, string(step.Status), step.At, step.Error})
		}
	}
	if s.State != provider.Running && s.State != provider.Frozen {
		return j
	}
	b := s.Box
	j.Address, j.Started = b.SSHAddr, &b.Started
	for _, n := range b.Networks {
		j.Networks = append(j.Networks, netJSON{n.Name, n.IP})
	}
	j.Limits = &limitsJSON{CPUs: b.Limits.CPUs, CPUWeight: b.Limits.CPUWeight, CPUSet: b.Limits.CPUSet,
		Memory: b.Limits.Memory, Swap: b.Limits.Swap, PIDs: b.Limits.PIDs, Disk: b.Limits.Disk}
	if b.Limits.IO != (provider.IO{}) {
		io := ioJSON(b.Limits.IO)
		j.Limits.IO = &io
	}
	j.Usage = &usageJSON{CPU: b.Usage.CPU.Seconds(), Memory: b.Usage.Memory, Swap: b.Usage.Swap, PIDs: b.Usage.PIDs}
	return j
}
