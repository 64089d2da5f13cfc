// A job's program on Google's clients for Go, as they are published. GOOGLE_APPLICATION_CREDENTIALS says who it is;
// STORAGE_URL and FIRESTORE_HOST say where the APIs are. Each line of standard input is an operation with its arguments,
// an array in JSON; each line of output is its result, {"value": …} or {"error": {"message", "code"}}.
package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"

	"cloud.google.com/go/auth/credentials"
	"cloud.google.com/go/auth/httptransport"
	"cloud.google.com/go/firestore"
	"cloud.google.com/go/storage"
	"golang.org/x/oauth2/google"
	"google.golang.org/api/googleapi"
	"google.golang.org/api/iterator"
	"google.golang.org/api/option"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

var scopes = []string{"https://www.googleapis.com/auth/cloud-platform"}

type failure struct {
	Message string `json:"message"`
	// HTTP's of Cloud Storage, gRPC's of Firestore.
	Code int `json:"code,omitempty"`
}

// Clients are opened when they are first needed, and keep their token.
type program struct {
	storage   *storage.Client
	firestore *firestore.Client
}

func main() {
	p := &program{}
	lines := bufio.NewScanner(os.Stdin)
	results := json.NewEncoder(os.Stdout)
	for lines.Scan() {
		var words []string
		must(json.Unmarshal(lines.Bytes(), &words))
		value, err := p.perform(context.Background(), words[0], words[1:])
		if err != nil {
			must(results.Encode(map[string]failure{"error": toFailure(err)}))
		} else {
			must(results.Encode(map[string]any{"value": value}))
		}
	}
	must(lines.Err())
}

func must(err error) {
	if err != nil {
		panic(err)
	}
}

func toFailure(err error) failure {
	var api *googleapi.Error
	if errors.As(err, &api) {
		return failure{Message: err.Error(), Code: api.Code}
	}
	if s, ok := status.FromError(err); ok && s.Code() != codes.Unknown {
		return failure{Message: err.Error(), Code: int(s.Code())}
	}
	return failure{Message: err.Error()}
}

func (p *program) perform(ctx context.Context, operation string, args []string) (any, error) {
	switch operation {
	case "request":
		return requestByAuth(args[0])
	case "requestByOAuth2":
		return requestByOAuth2(ctx, args[0])
	case "save", "read", "list", "delete":
		return p.performStorage(ctx, operation, args[0], args[1], args[2:])
	case "get", "set", "transaction":
		return p.performFirestore(ctx, operation, args[0], args[1:])
	default:
		return nil, fmt.Errorf("unknown operation %q", operation)
	}
}

// requestByAuth takes a new token each time it is called.
func requestByAuth(url string) (any, error) {
	found, err := credentials.DetectDefault(&credentials.DetectOptions{Scopes: scopes})
	if err != nil {
		return nil, err
	}
	client, err := httptransport.NewClient(&httptransport.Options{Credentials: found})
	if err != nil {
		return nil, err
	}
	return bodyOf(client, url)
}

// requestByOAuth2 takes a new token each time it is called.
func requestByOAuth2(ctx context.Context, url string) (any, error) {
	client, err := google.DefaultClient(ctx, scopes...)
	if err != nil {
		return nil, err
	}
	return bodyOf(client, url)
}

func bodyOf(client *http.Client, url string) (any, error) {
	response, err := client.Get(url)
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	var body any
	return body, json.NewDecoder(response.Body).Decode(&body)
}

func (p *program) performStorage(ctx context.Context, operation, bucket, name string, args []string) (any, error) {
	if p.storage == nil {
		client, err := storage.NewClient(ctx, option.WithEndpoint(os.Getenv("STORAGE_URL")+"/storage/v1/"))
		if err != nil {
			return nil, err
		}
		p.storage = client
	}
	object := p.storage.Bucket(bucket).Object(name)
	switch operation {
	case "save":
		writer := object.NewWriter(ctx)
		if _, err := io.WriteString(writer, args[0]); err != nil {
			return nil, err
		}
		return nil, writer.Close()
	case "read":
		reader, err := object.NewReader(ctx)
		if err != nil {
			return nil, err
		}
		defer reader.Close()
		content, err := io.ReadAll(reader)
		return string(content), err
	case "list":
		names := []string{}
		objects := p.storage.Bucket(bucket).Objects(ctx, &storage.Query{Prefix: name})
		for {
			found, err := objects.Next()
			if errors.Is(err, iterator.Done) {
				return names, nil
			}
			if err != nil {
				return nil, err
			}
			names = append(names, found.Name)
		}
	default:
		return nil, object.Delete(ctx)
	}
}

func (p *program) performFirestore(ctx context.Context, operation, path string, args []string) (any, error) {
	if p.firestore == nil {
		endpoint := option.WithEndpoint(os.Getenv("FIRESTORE_HOST"))
		client, err := firestore.NewClient(ctx, os.Getenv("GOOGLE_CLOUD_PROJECT"), endpoint)
		if err != nil {
			return nil, err
		}
		p.firestore = client
	}
	document := p.firestore.Doc(path)
	switch operation {
	case "get":
		found, err := document.Get(ctx)
		if err != nil {
			return nil, err
		}
		return found.Data(), nil
	case "set":
		_, err := document.Set(ctx, map[string]any{"text": args[0]})
		return nil, err
	default:
		return nil, p.firestore.RunTransaction(ctx, func(_ context.Context, t *firestore.Transaction) error {
			found, err := t.Get(document)
			if err != nil {
				return err
			}
			return t.Set(document, map[string]any{"text": fmt.Sprint(found.Data()["text"], args[0])})
		})
	}
}
