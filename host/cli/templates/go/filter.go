// Drops events by the text of a field.
package main

import (
	"errors"

	"paddlewheel"
)

type config struct {
	Field string `json:"field"`
	Drop  string `json:"drop"`
}

var settings config

func init() {
	paddlewheel.Init(func(read config) error {
		if read.Field == "" || read.Drop == "" {
			return errors.New("`field` and `drop` are needed")
		}
		settings = read
		return nil
	})
	paddlewheel.Transform(transform)
}

func main() {}

func transform(event *paddlewheel.Event) (paddlewheel.Answer, error) {
	if text, ok := event.Text(settings.Field); ok && text == settings.Drop {
		return paddlewheel.Drop, nil
	}
	return event, nil
}
