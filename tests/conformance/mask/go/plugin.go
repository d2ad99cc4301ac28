package main

import "paddlewheel"

func init() { paddlewheel.Transform(transform) }

func main() {}

func transform(event *paddlewheel.Event) (paddlewheel.Answer, error) {
	if level, _ := event.Text("level"); level == "DEBUG" {
		return paddlewheel.Drop, nil
	}
	event.ReplaceText("email", "***")
	event.ReplaceText("ssn", "***")
	event.Set("processed_by", "x")
	return event, nil
}
