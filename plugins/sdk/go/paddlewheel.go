// Package paddlewheel is what a Paddlewheel plugin in Go is written with.
//
// A plugin is given one event at a time and answers with what should go on:
//
//	package main
//
//	import "paddlewheel"
//
//	func init() { paddlewheel.Transform(transform) }
//
//	func main() {}
//
//	func transform(event *paddlewheel.Event) (paddlewheel.Answer, error) {
//		if level, _ := event.Text("level"); level == "DEBUG" {
//			return paddlewheel.Drop, nil
//		}
//		event.ReplaceText("user.email", "***")
//		event.Set("region", "eu")
//		return event, nil
//	}
//
// The host holds the event. The plugin asks for the fields it needs and says what to change; the rest of the event's bytes go
// through as they came. A plugin has no files, no network and no environment, and it keeps no state: an instance may be replaced
// between any two events, and the events of one batch may run in several instances at once.
//
// # Paths
//
// A path names a field of the event's JSON document:
//
//	user.email          the field `email` of the object `user`
//	items[0].sku        the field `sku` of the first element of the array `items`
//	[2]                 the third element, when the document itself is an array
//	labels."a[0]"       in quotes, brackets, stars, quotes and backslashes are part of the name
//	"" (empty)          the whole document
//
// A pattern is a path in which `*` may stand for any one name and `[*]` for any one index: `user.*`, `items[*].sku`. Only Expand,
// Remove and ReplaceText take patterns. A malformed path ends the call: the event fails, and the plugin cannot catch it.
//
// A field is named as OpenSearch will index it: `{"user": {"email": 1}}` and `{"user.email": 1}` have the same field `user.email`,
// and every method finds it in both.
package paddlewheel

import (
	"encoding/json"
	"errors"
	"strings"
)

// An Answer says what goes on: an *Event, an Output, a List of them, or nil, which is the event as it was changed.
type Answer interface {
	outputs(to []Output) []Output
}

// An Output is an event and the route it takes: one of the pipeline's [routes]. Without a route it keeps the one that an earlier
// step gave it, or else takes the default. An unknown route fails the event.
type Output struct {
	Event *Event
	Route string
}

// A List fans out: each of its events goes on, in order. An empty one drops the event.
type List []Answer

// Drop ends the event here. The report counts it as dropped.
var Drop = List{}

func (event *Event) outputs(to []Output) []Output { return append(to, Output{Event: event}) }

func (output Output) outputs(to []Output) []Output { return append(to, output) }

func (list List) outputs(to []Output) []Output {
	for _, answer := range list {
		if answer != nil {
			to = answer.outputs(to)
		}
	}
	return to
}

// A Failure is why an event was not transformed. Its text is for people: it stands in the report and in the dead letter.
type Failure struct {
	kind   failureKind
	reason string
}

type failureKind uint8

const (
	reject failureKind = iota
	retry
	broken
)

func (failure *Failure) Error() string { return failure.reason }

// Reject makes the error that says that this event can never be processed. The step's failure policy decides what becomes of it:
// by default it is kept as a dead letter. It may be wrapped, as by fmt.Errorf with %w.
//
// Any other error that transform returns means that the plugin itself is broken, as a panic does.
func Reject(reason string) error { return &Failure{reject, reason} }

// Retry makes the error that says: not now. The batch stops here and Kinesis sends it again later, for as long as the step's
// retry_for_s allows.
func Retry(reason string) error { return &Failure{retry, reason} }

// A Level is how important a line of the log is.
type Level uint32

const (
	// Debug is for whoever works on the plugin.
	Debug Level = iota
	// Info is something worth knowing.
	Info
	// Warn is something odd that was dealt with.
	Warn
	// Error is something that a person must look at.
	Error
)

// Log writes one line. Each event may write a limited number of lines (20 unless the step's log_lines says otherwise), and a long
// line is cut. Never log what a mask is meant to hide.
func Log(level Level, message string) { hostLog(uint32(level), message) }

var (
	transformer func(*Event) (Answer, error)
	initializer func(config string) error
)

// Transform registers the function that is called for each event. Call it once, in an init function.
//
// Use nothing but the event and the config in it: no counters, no caches that change the outcome. A call that panics is tried once
// more in a fresh instance, and a record may be delivered twice.
func Transform(transform func(event *Event) (Answer, error)) { transformer = transform }

// Init registers the function that is given the step's config from paddle.toml, once in each instance, before the first event.
// Call it in an init function. A key that the type does not have is refused; so is a config for a plugin that registers none. An
// error refuses the release, and its text is shown to whoever wrote the config.
//
//	type config struct {
//		Fields []string `json:"fields"`
//	}
//
//	func init() {
//		paddlewheel.Init(func(read config) error { fields = read.Fields; return nil })
//		paddlewheel.Transform(transform)
//	}
func Init[T any](init func(config T) error) {
	initializer = func(text string) error {
		var config T
		decoder := json.NewDecoder(strings.NewReader(text))
		decoder.DisallowUnknownFields()
		if err := decoder.Decode(&config); err != nil {
			return errors.New("config: " + strings.TrimPrefix(err.Error(), "json: "))
		}
		return init(config)
	}
}
