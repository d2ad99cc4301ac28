// Makes an event of each element of an array.
package main

import (
	"errors"

	"paddlewheel"
)

type config struct {
	Field string `json:"field"`
	As    string `json:"as"`
}

var settings config

func init() {
	paddlewheel.Init(func(read config) error {
		if read.Field == "" || read.As == "" {
			return errors.New("`field` and `as` are needed")
		}
		settings = read
		return nil
	})
	paddlewheel.Transform(transform)
}

func main() {}

func transform(event *paddlewheel.Event) (paddlewheel.Answer, error) {
	elements := event.Expand(settings.Field + "[*]")
	if len(elements) == 0 {
		return event, nil
	}
	var parts paddlewheel.List
	for _, element := range elements {
		part := event.Copy()
		part.Rename(element, settings.As)
		part.Remove(settings.Field)
		parts = append(parts, part)
	}
	return parts, nil
}
