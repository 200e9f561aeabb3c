using System.Text.Json.Nodes;

namespace Hami.Lab.ApiServer;

/// <summary>Who sends a request, as authentication found out.</summary>
internal sealed record Caller(string Name, string Uid, string[] Groups, IReadOnlyDictionary<string, string[]> Extra)
{
    public const string Masters = "system:masters";
    public const string Authenticated = "system:authenticated";
    public const string Unauthenticated = "system:unauthenticated";
    private const string AccountPrefix = "system:serviceaccount:";

    /// <summary>The owner of the lab's kubeconfig, and the lab itself.</summary>
    public static readonly Caller Admin = new("admin", "", [Masters, Authenticated], new Dictionary<string, string[]>(StringComparer.Ordinal));

    // Ambient, as the request itself is: only the door sets it, only admission's envelope and the reviews of oneself read it.
    private static readonly AsyncLocal<Caller?> Ambient = new();

    public static Caller Current
    {
        get => Ambient.Value ?? Admin;
        set => Ambient.Value = value;
    }

    public bool IsMaster => Groups.Contains(Masters, StringComparer.Ordinal);

    public static string AccountName(string @namespace, string account) => $"{AccountPrefix}{@namespace}:{account}";

    public static string[] AccountGroups(string @namespace) => ["system:serviceaccounts", $"system:serviceaccounts:{@namespace}", Authenticated];

    /// <summary>The namespace and name of the service account a user name means; null when it means none.</summary>
    public static (string Namespace, string Name)? Account(string user) =>
        user.StartsWith(AccountPrefix, StringComparison.Ordinal) && user[AccountPrefix.Length..].Split(':') is [var @namespace, var name] ? (@namespace, name) : null;

    /// <summary>As authentication.k8s.io writes a user.</summary>
    public JsonObject ToInfo()
    {
        var info = new JsonObject { ["username"] = Name };
        if (Uid.Length > 0)
            info["uid"] = Uid;
        info["groups"] = Json.Texts(Groups);
        if (Extra.Count > 0)
            info["extra"] = new JsonObject(Extra.OrderBy(e => e.Key, StringComparer.Ordinal).Select(e => KeyValuePair.Create(e.Key, (JsonNode?)Json.Texts(e.Value))));
        return info;
    }
}
