module paddlewheel

go 1.24
