// Notes the region, and whether a request was slow.
package main

import (
	"errors"

	"paddlewheel"
)

type config struct {
	Region string  `json:"region"`
	SlowMs float64 `json:"slow_ms"`
}

var settings config

func init() {
	paddlewheel.Init(func(read config) error {
		if read.Region == "" || read.SlowMs == 0 {
			return errors.New("`region` and the number `slow_ms` are needed")
		}
		settings = read
		return nil
	})
	paddlewheel.Transform(transform)
}

func main() {}

func transform(event *paddlewheel.Event) (paddlewheel.Answer, error) {
	event.Set("region", settings.Region)
	switch took, _ := event.Get("took_ms"); took := took.(type) {
	case int64:
		event.Set("slow", float64(took) > settings.SlowMs)
	case float64:
		event.Set("slow", took > settings.SlowMs)
	}
	return event, nil
}
