// Writes and reads an object of Cloud Storage. STORAGE is set in Keydesk's sandbox only: without it this is Google's.
package main

import (
	"context"
	"fmt"
	"io"
	"os"

	"cloud.google.com/go/storage"
	"google.golang.org/api/option"
)

func main() {
	ctx := context.Background()
	var options []option.ClientOption
	if url := os.Getenv("STORAGE"); url != "" {
		options = append(options, option.WithEndpoint(url+"/storage/v1/"))
	}
	client, err := storage.NewClient(ctx, options...)
	exitOn(err)
	object := client.Bucket("acme-ci-cache").Object("warm/go")
	writer := object.NewWriter(ctx)
	io.WriteString(writer, "warm")
	exitOn(writer.Close()) // The error has the text of Keydesk's refusal.
	reader, err := object.NewReader(ctx)
	exitOn(err)
	content, err := io.ReadAll(reader)
	exitOn(err)
	fmt.Println(string(content))
}

func exitOn(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
