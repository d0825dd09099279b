package config

import (
	"errors"
	"strconv"
	"time"
)

// parseDuration returns the time that s stands for, such as "90s" or "1m30s".
func parseDuration(s string) (time.Duration, error) {
	if _, err := strconv.ParseFloat(s, 64); err == nil && s != "0" {
		return 0, errors.New(`it has no unit; write "` + s + `s" for seconds or "` + s + `m" for minutes`)
	}
	d, err := time.ParseDuration(s)
	if err != nil {
		return 0, errors.New(`write a duration such as "90s", "2m" or "1m30s"`)
	}
	return d, nil
}

// formatDuration writes d without the zero units that its String method adds.
func formatDuration(d time.Duration) string {
	switch {
	case d >= time.Hour && d%time.Hour == 0:
		return strconv.FormatInt(int64(d/time.Hour), 10) + "h"
	case d >= time.Minute && d%time.Minute == 0:
		return strconv.FormatInt(int64(d/time.Minute), 10) + "m"
	}
	return d.String()
}
