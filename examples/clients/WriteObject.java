import com.google.cloud.storage.BlobInfo;
import com.google.cloud.storage.Storage;
import com.google.cloud.storage.StorageException;
import com.google.cloud.storage.StorageOptions;

/** Writes and reads an object of Cloud Storage. STORAGE is set in Keydesk's sandbox only: without it this is Google's. */
public final class WriteObject {
  public static void main(String[] none) {
    StorageOptions.Builder options = StorageOptions.newBuilder();
    if (System.getenv("STORAGE") != null) {
      options.setHost(System.getenv("STORAGE"));
    }
    Storage storage = options.build().getService();
    try {
      storage.create(BlobInfo.newBuilder("acme-ci-cache", "warm/java").build(), "warm".getBytes());
      System.out.println(new String(storage.readAllBytes("acme-ci-cache", "warm/java")));
    } catch (StorageException refused) { // Its message has the text of Keydesk's refusal.
      System.err.println(refused.getMessage());
      System.exit(1);
    }
    System.exit(0);
  }
}
