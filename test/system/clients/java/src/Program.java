import com.google.auth.oauth2.GoogleCredentials;
import com.google.cloud.WriteChannel;
import com.google.cloud.firestore.DocumentReference;
import com.google.cloud.firestore.Firestore;
import com.google.cloud.firestore.FirestoreOptions;
import com.google.cloud.storage.Blob;
import com.google.cloud.storage.BlobInfo;
import com.google.cloud.storage.Storage;
import com.google.cloud.storage.Storage.BlobListOption;
import com.google.cloud.storage.Storage.BlobTargetOption;
import com.google.cloud.storage.StorageException;
import com.google.cloud.storage.StorageOptions;
import com.google.gson.Gson;
import com.google.gson.GsonBuilder;
import io.grpc.Status;
import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.net.HttpURLConnection;
import java.net.URI;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ExecutionException;

/**
 * A job's program on Google's clients for Java, as they are published. GOOGLE_APPLICATION_CREDENTIALS says who it is;
 * STORAGE_URL and FIRESTORE_HOST say where the APIs are. Each line of standard input is an operation with its arguments,
 * an array in JSON; each line of output is its result, {"value": …} or {"error": {"message", "code", "causes"}}.
 */
final class Program {
  private static final List<String> SCOPES = List.of("https://www.googleapis.com/auth/cloud-platform");
  private static final Gson GSON = new GsonBuilder().serializeNulls().create();

  /** Opened when they are first needed; they keep their token. */
  private Storage storage;

  private Firestore firestore;

  public static void main(String[] none) throws IOException {
    Program program = new Program();
    BufferedReader lines = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
    for (String line = lines.readLine(); line != null; line = lines.readLine()) {
      System.out.println(GSON.toJson(program.resultOf(GSON.fromJson(line, String[].class))));
    }
    // Threads of the libraries would keep it alive.
    System.exit(0);
  }

  private Map<String, Object> resultOf(String[] words) {
    Map<String, Object> result = new HashMap<>();
    try {
      result.put("value", perform(words));
    } catch (ExecutionException wrapped) {
      result.put("error", failure(wrapped.getCause()));
    } catch (Exception error) {
      result.put("error", failure(error));
    }
    return result;
  }

  /** Its code is HTTP's for Cloud Storage and gRPC's for Firestore; 0 for a Cloud Storage client without a token. */
  private static Map<String, Object> failure(Throwable error) {
    List<String> causes = new ArrayList<>();
    for (Throwable cause = error.getCause(); cause != null; cause = cause.getCause()) {
      causes.add(String.valueOf(cause.getMessage()));
    }
    Map<String, Object> failure = new HashMap<>();
    failure.put("message", String.valueOf(error.getMessage()));
    failure.put("causes", causes);
    Status.Code grpc = Status.fromThrowable(error).getCode();
    if (error instanceof StorageException) {
      failure.put("code", ((StorageException) error).getCode());
    } else if (grpc != Status.Code.UNKNOWN) {
      failure.put("code", grpc.value());
    }
    return failure;
  }

  private Object perform(String[] words) throws IOException, ExecutionException, InterruptedException {
    switch (words[0]) {
      case "request":
        return request(URI.create(words[1]));
      case "save":
        storage().create(BlobInfo.newBuilder(words[1], words[2]).build(), bytes(words[3]));
        return null;
      case "saveWithoutGzip":
        storage()
            .create(
                BlobInfo.newBuilder(words[1], words[2]).build(),
                bytes(words[3]),
                BlobTargetOption.disableGzipContent());
        return null;
      case "saveResumably":
        try (WriteChannel channel = storage().writer(BlobInfo.newBuilder(words[1], words[2]).build())) {
          channel.write(ByteBuffer.wrap(bytes(words[3])));
        }
        return null;
      case "read":
        return new String(storage().readAllBytes(words[1], words[2]), StandardCharsets.UTF_8);
      case "list":
        List<String> names = new ArrayList<>();
        for (Blob blob : storage().list(words[1], BlobListOption.prefix(words[2])).iterateAll()) {
          names.add(blob.getName());
        }
        return names;
      case "delete":
        storage().delete(words[1], words[2]);
        return null;
      case "get":
        return firestore().document(words[1]).get().get().getData();
      case "set":
        firestore().document(words[1]).set(Map.of("text", words[2])).get();
        return null;
      case "transaction":
        DocumentReference document = firestore().document(words[1]);
        firestore()
            .runTransaction(
                transaction -> {
                  String text = transaction.get(document).get().getString("text");
                  return transaction.set(document, Map.of("text", text + words[2]));
                })
            .get();
        return null;
      default:
        throw new IllegalArgumentException("unknown operation " + words[0]);
    }
  }

  /** Takes a new token each time it is called. */
  private static Object request(URI url) throws IOException {
    GoogleCredentials credentials = GoogleCredentials.getApplicationDefault().createScoped(SCOPES);
    HttpURLConnection connection = (HttpURLConnection) url.toURL().openConnection();
    credentials
        .getRequestMetadata(url)
        .forEach((name, values) -> values.forEach(value -> connection.addRequestProperty(name, value)));
    try (InputStreamReader body = new InputStreamReader(connection.getInputStream(), StandardCharsets.UTF_8)) {
      return GSON.fromJson(body, Map.class);
    }
  }

  private Storage storage() {
    if (storage == null) {
      storage = StorageOptions.newBuilder().setHost(System.getenv("STORAGE_URL")).build().getService();
    }
    return storage;
  }

  private Firestore firestore() {
    if (firestore == null) {
      firestore = FirestoreOptions.newBuilder().setHost(System.getenv("FIRESTORE_HOST")).build().getService();
    }
    return firestore;
  }

  private static byte[] bytes(String text) {
    return text.getBytes(StandardCharsets.UTF_8);
  }
}
