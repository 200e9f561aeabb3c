using System.Buffers.Text;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;

namespace Hami.Lab.ApiServer;

/// <summary>Service accounts' tokens: JSON web tokens that this server signs and believes, as long as what they are bound to exists.</summary>
/// <remarks>A real server signs with a key pair that others can check; here a shared key lies in a secret, so that tokens outlive a restart.</remarks>
internal sealed class Tokens(ObjectStore store, TimeProvider time)
{
    public const string Issuer = "https://kubernetes.default.svc";
    private const string KeyName = "service-account-signing-key";
    private const string System = "kube-system";

    /// <summary>Makes the key once; tokens of an earlier run are worth as much as it.</summary>
    public static async Task Prepare(ObjectStore store, Func<ApiRequest, JsonObject, Task> create)
    {
        if (store.Find(Resources.Secrets, System, KeyName) is not null)
            return;
        var key = Convert.ToBase64String(RandomNumberGenerator.GetBytes(32));
        await create(new(Resources.Secrets, System, "", ""), new() { ["metadata"] = new JsonObject { ["name"] = KeyName }, ["data"] = new JsonObject { ["key"] = key } });
    }

    public string Sign(JsonObject claims)
    {
        var text = $"{Encode("""{"alg":"HS256","typ":"JWT"}"""u8)}.{Encode(Json.Utf8(claims))}";
        return $"{text}.{Encode(Signature(text))}";
    }

    /// <summary>Who holds the token, and what it says; null with the reason when it is no good.</summary>
    public (Caller Who, string[] Audiences)? Read(string token, out string why)
    {
        why = "invalid bearer token";
        if (token.Split('.') is not [var head, var payload, var signature])
            return null;
        JsonObject? claims;
        try
        {
            if (!CryptographicOperations.FixedTimeEquals(Base64Url.DecodeFromChars(signature), Signature($"{head}.{payload}")))
                return null;
            claims = Json.Parse(Base64Url.DecodeFromChars(payload)) as JsonObject;
        }
        catch (Exception e) when (e is FormatException or JsonException)
        {
            return null;
        }
        var now = time.GetUtcNow().ToUnixTimeSeconds();
        if (claims.NumberAt("exp") is not { } until || until <= now)
        {
            why = "[invalid bearer token, service account token has expired]";
            return null;
        }
        var bound = claims.MapAt("kubernetes.io");
        var @namespace = bound.TextAt("namespace") ?? "";
        var (name, uid) = (bound.TextAt("serviceaccount", "name") ?? "", bound.TextAt("serviceaccount", "uid") ?? "");
        var pod = bound.MapAt("pod");
        if (!Exists(Resources.ServiceAccounts, @namespace, name, uid)
            || !IsThere(Resources.Pods, @namespace, pod)
            || !IsThere(Resources.Secrets, @namespace, bound.MapAt("secret"))
            // A pod's node is only told of; a token of a node's own ends with it.
            || (pod is null && !IsThere(Resources.Nodes, "", bound.MapAt("node"))))
        {
            why = "[invalid bearer token, service account token has been invalidated]";
            return null;
        }
        string[] audiences = [.. claims.At("aud").Texts()];
        return (new(Caller.AccountName(@namespace, name), uid, Caller.AccountGroups(@namespace), Extra(claims!, bound)), audiences);
    }

    private static Dictionary<string, string[]> Extra(JsonObject claims, JsonObject? bound)
    {
        const string prefix = "authentication.kubernetes.io/";
        var extra = new Dictionary<string, string[]>(StringComparer.Ordinal) { [prefix + "credential-id"] = [$"JTI={claims.TextAt("jti")}"] };
        foreach (var kind in (string[])["pod", "node"])
        {
            if (bound.MapAt(kind) is not { } thing)
                continue;
            extra[$"{prefix}{kind}-name"] = [thing.TextAt("name") ?? ""];
            extra[$"{prefix}{kind}-uid"] = [thing.TextAt("uid") ?? ""];
        }
        return extra;
    }

    private bool IsThere(Resource resource, string @namespace, JsonObject? bound) =>
        bound is null || Exists(resource, @namespace, bound.TextAt("name") ?? "", bound.TextAt("uid") ?? "");

    private bool Exists(Resource resource, string @namespace, string name, string uid) => store.Find(resource, @namespace, name) is { } found && found.Uid == uid;

    private byte[] Signature(string text)
    {
        var key = store.Find(Resources.Secrets, System, KeyName)?.Body.TextAt("data", "key") ?? throw KubernetesError.Internal($"the secret {System}/{KeyName} is gone");
        return HMACSHA256.HashData(Convert.FromBase64String(key), Encoding.UTF8.GetBytes(text));
    }

    private static string Encode(ReadOnlySpan<byte> bytes) => Base64Url.EncodeToString(bytes);
}
