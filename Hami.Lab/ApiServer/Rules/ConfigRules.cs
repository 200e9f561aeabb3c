using System.Text.Json;
using System.Text.Json.Nodes;

namespace Hami.Lab.ApiServer;

/// <summary>core/v1 ConfigMap: keys that can be files, and no change once it is immutable.</summary>
internal sealed class ConfigMapRules : ResourceRules
{
    public override IEnumerable<Cause> Validate(JsonObject body)
    {
        var causes = new Causes();
        var (data, binary) = (body.MapAt("data") ?? [], body.MapAt("binaryData") ?? []);
        foreach (var (key, _) in data)
        {
            causes.Invalid($"data[{key}]", key, Formats.ConfigKey(key));
            if (binary.ContainsKey(key))
                causes.Invalid($"data[{key}]", key, "duplicate of key present in binaryData");
        }
        foreach (var (key, _) in binary)
            causes.Invalid($"binaryData[{key}]", key, Formats.ConfigKey(key));
        if (Contents.Bytes(data, encoded: false) + Contents.Bytes(binary, encoded: true) > Contents.Most)
            causes.TooLong("", Contents.Most);
        return causes.Found;
    }

    public override IEnumerable<Cause> ValidateUpdate(JsonObject body, JsonObject old) => Contents.Immutable(body, old, "data", "binaryData");
}

/// <summary>core/v1 Secret: what its type asks of it, and no change once it is immutable.</summary>
internal sealed class SecretRules : ResourceRules
{
    public override void Default(JsonObject body)
    {
        body.SetIfMissing("type", "Opaque");
        if (body["stringData"] is not JsonObject plain)
            return;
        // stringData is for writing only.
        body.Remove("stringData");
        foreach (var (name, value) in plain)
            body.Child("data")[name] = Convert.ToBase64String(System.Text.Encoding.UTF8.GetBytes(value.Text()));
    }

    public override IEnumerable<Cause> Validate(JsonObject body)
    {
        var causes = new Causes();
        var data = body.MapAt("data") ?? [];
        foreach (var (key, _) in data)
            causes.Invalid($"data[{key}]", key, Formats.ConfigKey(key));
        if (Contents.Bytes(data, encoded: true) > Contents.Most)
            causes.TooLong("data", Contents.Most);
        CheckType(body, data, causes);
        return causes.Found;
    }

    public override IEnumerable<Cause> ValidateUpdate(JsonObject body, JsonObject old)
    {
        var causes = new Causes();
        if (body.TextAt("type") != old.TextAt("type"))
            causes.Invalid("type", body["type"]?.DeepClone(), Formats.Immutable);
        causes.Add(Contents.Immutable(body, old, "data"));
        return causes.Found;
    }

    private static void CheckType(JsonObject body, JsonObject data, Causes causes)
    {
        switch (body.TextAt("type"))
        {
            case "kubernetes.io/service-account-token" when string.IsNullOrEmpty(body.TextAt("metadata", "annotations", "kubernetes.io/service-account.name")):
                causes.Required("metadata.annotations[kubernetes.io/service-account.name]");
                break;
            case "kubernetes.io/dockercfg":
                CheckJson(data, ".dockercfg", causes);
                break;
            case "kubernetes.io/dockerconfigjson":
                CheckJson(data, ".dockerconfigjson", causes);
                break;
            case "kubernetes.io/basic-auth" when !data.ContainsKey("username") && !data.ContainsKey("password"):
                causes.Required("data[username]");
                causes.Required("data[password]");
                break;
            case "kubernetes.io/ssh-auth" when data["ssh-privatekey"].Text().Length == 0:
                causes.Required("data[ssh-privatekey]");
                break;
            case "kubernetes.io/tls":
                foreach (var key in ((string[])["tls.crt", "tls.key"]).Where(k => !data.ContainsKey(k)))
                    causes.Required($"data[{key}]");
                break;
        }
    }

    private static void CheckJson(JsonObject data, string key, Causes causes)
    {
        if (!data.ContainsKey(key))
        {
            causes.Required($"data[{key}]");
            return;
        }
        var text = Convert.FromBase64String(data[key].Text());
        try
        {
            if (Json.Parse(text) is not (JsonObject or null))
                throw new JsonException("json: cannot unmarshal a value that is no object into Go value of type map[string]interface {}");
        }
        catch (JsonException e)
        {
            causes.Invalid($"data[{key}]", "<secret contents redacted>", Intake.GoWords(e, text));
        }
    }
}

/// <summary>What ConfigMaps and Secrets have in common.</summary>
internal static class Contents
{
    public const int Most = 1024 * 1024;

    private const string Sealed = "field is immutable when `immutable` is set";

    public static long Bytes(JsonObject map, bool encoded) => map.Sum(entry => encoded
        ? entry.Value.Text().TrimEnd('=').Length * 3L / 4
        : System.Text.Encoding.UTF8.GetByteCount(entry.Value.Text()));

    public static IReadOnlyList<Cause> Immutable(JsonObject body, JsonObject old, params string[] fields)
    {
        var causes = new Causes();
        if (!old.FlagAt("immutable"))
            return [];
        if (!body.FlagAt("immutable"))
            causes.Forbidden("immutable", Sealed);
        foreach (var field in fields.Where(f => !Json.Same(body.MapAt(f) ?? [], old.MapAt(f) ?? [])))
            causes.Forbidden(field, Sealed);
        return causes.Found;
    }
}
