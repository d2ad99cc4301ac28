// Makes fields of a text such as: level=info msg="user logged in"
package main

import (
	"errors"
	"regexp"

	"paddlewheel"
)

type config struct {
	Field string `json:"field"`
}

var (
	settings config
	pair     = regexp.MustCompile(`([\w-]+)=(?:"([^"]*)"|(\S+))`)
)

func init() {
	paddlewheel.Init(func(read config) error {
		if read.Field == "" {
			return errors.New("`field` is needed")
		}
		settings = read
		return nil
	})
	paddlewheel.Transform(transform)
}

func main() {}

func transform(event *paddlewheel.Event) (paddlewheel.Answer, error) {
	text, ok := event.Text(settings.Field)
	if !ok {
		return nil, paddlewheel.Reject("there is no text in `" + settings.Field + "`")
	}
	pairs := pair.FindAllStringSubmatch(text, -1)
	if len(pairs) == 0 {
		return nil, paddlewheel.Reject("`" + settings.Field + "` has no key=value pairs")
	}
	event.Remove(settings.Field)
	for _, found := range pairs {
		event.Set(found[1], found[2]+found[3])
	}
	return event, nil
}
