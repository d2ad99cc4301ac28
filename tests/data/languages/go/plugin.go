package main

import (
	"fmt"
	"time"

	"paddlewheel"
)

func init() { paddlewheel.Transform(transform) }

func main() {}

func transform(event *paddlewheel.Event) (paddlewheel.Answer, error) {
	if level, _ := event.Text("level"); level == "DEBUG" {
		return paddlewheel.Drop, nil
	}
	if event.Has("bad") {
		return nil, paddlewheel.Reject("the field bad is there: größer")
	}
	if event.Has("later") {
		return nil, paddlewheel.Retry("not now")
	}
	if event.Has("boom") {
		var counts map[string]int
		counts["größer"] = 1
	}
	if event.Has("print") {
		fmt.Println("größer gedruckt")
	}
	if event.Has("clock") {
		event.Set("clock", time.Now().UnixMilli())
	}
	event.ReplaceText("email", "***")
	event.ReplaceText("ssn", "***")
	if number, ok := event.Get("n"); ok {
		event.Set("copied", number)
	}
	if event.Has("through") {
		event.Set("level.deeper", 1)
	}
	event.Set("processed_by", "x")
	if event.Has("twice") {
		second := event.Copy()
		second.Set("part", "second")
		return paddlewheel.List{event, second.To("audit")}, nil
	}
	return event, nil
}
