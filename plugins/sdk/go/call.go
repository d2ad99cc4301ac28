package paddlewheel

import (
	"errors"
	"runtime"
	"strconv"
	"strings"
)

// A call in which the plugin's own code runs: what it panics with, and what it answers with, in the contract's words.

// runInit gives the plugin its config.
func runInit(config string) (err error) {
	defer func() {
		if panicked := recover(); panicked != nil {
			err = errors.New(words(panicked) + stack())
		}
	}()
	switch {
	case transformer == nil:
		return errors.New("the plugin registers no transform: it needs func init() { paddlewheel.Transform(…) }")
	case initializer != nil:
		return initializer(config)
	case config != "{}":
		return errors.New("this plugin takes no config")
	}
	return nil
}

// runTransform gives the plugin an event.
func runTransform(event *Event) (outputs []Output, failure *Failure) {
	defer func() {
		if panicked := recover(); panicked != nil {
			outputs, failure = nil, failed(panicked)
		}
	}()
	answer, err := transformer(event)
	if err != nil {
		return nil, returned(err)
	}
	if answer == nil {
		answer = event
	}
	outputs = answer.outputs(room[:0])
	for _, output := range outputs {
		output.Event.rep()
		output.Event.state = answered
	}
	return outputs, nil
}

// Room for the answer of the usual size, used again by each event.
var room [4]Output

// returned is what an error that transform returns means.
func returned(err error) *Failure {
	var failure *Failure
	if errors.As(err, &failure) {
		return &Failure{failure.kind, err.Error()}
	}
	return &Failure{broken, err.Error()}
}

// failed is what a panic means: a host call that failed and that nobody looked at rejects.
func failed(panicked any) *Failure {
	if failure, ok := panicked.(*Failure); ok {
		return failure
	}
	return &Failure{broken, words(panicked) + stack()}
}

func words(panicked any) string {
	switch panicked := panicked.(type) {
	case string:
		return panicked
	case error:
		return panicked.Error()
	case interface{ String() string }:
		return panicked.String()
	}
	if integer, ok := signed(panicked); ok {
		return strconv.FormatInt(integer, 10)
	}
	return "a panic with a value that is no text"
}

// stack is where the plugin's own code panicked, innermost first, as Go writes it.
func stack() string {
	var counters [32]uintptr
	frames := runtime.CallersFrames(counters[:runtime.Callers(0, counters[:])])
	var text strings.Builder
	for inside := false; ; {
		frame, more := frames.Next()
		switch {
		case strings.HasPrefix(frame.Function, "paddlewheel.run"):
			if inside {
				return text.String()
			}
		case frame.Function == "runtime.gopanic":
			inside = true
		case inside && !strings.HasPrefix(frame.Function, "runtime."):
			text.WriteString("\n  at " + frame.Function + " (" + frame.File + ":" + strconv.Itoa(frame.Line) + ")")
		}
		if !more {
			return text.String()
		}
	}
}
