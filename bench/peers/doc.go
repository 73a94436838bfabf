// Package peers is a module of its own for the engines that telemdb is measured against, so that what they need never
// reaches the product's go.mod. Each folder is the process of one engine, as bench/peer describes; bench/telembench builds
// and starts them. `go run ./bench/setup` installs what Go cannot fetch.
package peers
