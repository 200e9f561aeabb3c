using System.Text.Json.Nodes;

namespace Hami.Lab.ApiServer;

/// <summary>The short tables (pkg/printers/internalversion).</summary>
internal static class Tables
{
    public static readonly Table Namespaces = new([Table.Name, new("Status"), Table.Age], (o, now) => [Name(o), o.TextAt("status", "phase"), Ages.Of(o, now)]);

    public static readonly Table ConfigMaps = new(
        [Table.Name, new("Data"), Table.Age],
        (o, now) => [Name(o), (o.MapAt("data")?.Count ?? 0) + (o.MapAt("binaryData")?.Count ?? 0), Ages.Of(o, now)]);

    public static readonly Table Secrets = new(
        [Table.Name, new("Type"), new("Data"), Table.Age], (o, now) => [Name(o), o.TextAt("type"), o.MapAt("data")?.Count ?? 0, Ages.Of(o, now)]);

    public static readonly Table ServiceAccounts = new(
        [Table.Name, new("Secrets"), Table.Age], (o, now) => [Name(o), o.ListAt("secrets")?.Count ?? 0, Ages.Of(o, now)]);

    public static readonly Table Leases = new(
        [Table.Name, new("Holder"), Table.Age], (o, now) => [Name(o), o.TextAt("spec", "holderIdentity") ?? "", Ages.Of(o, now)]);

    public static readonly Table RuntimeClasses = new([Table.Name, new("Handler"), Table.Age], (o, now) => [Name(o), o.TextAt("handler"), Ages.Of(o, now)]);

    public static readonly Table Webhooks = new(
        [Table.Name, new("Webhooks"), Table.Age], (o, now) => [Name(o), o.ListAt("webhooks")?.Count ?? 0, Ages.Of(o, now)]);

    public static readonly Table ResourceQuotas = new(
        [Table.Name, new("Request"), new("Limit"), Table.Age],
        (o, now) => [Name(o), Usage(o, limits: false), Usage(o, limits: true), Ages.Of(o, now)]);

    public static readonly Table PriorityClasses = new(
        [Table.Name, new("Value", Type: "integer"), new("Global-Default", Type: "boolean"), Table.Age, new("PreemptionPolicy")],
        (o, now) => [Name(o), o.NumberAt("value") ?? 0, o.FlagAt("globalDefault"), Ages.Of(o, now), o.TextAt("preemptionPolicy")]);

    public static readonly Table Bindings = new(
        [Table.Name, new("Role"), Table.Age, new("Users", 1), new("Groups", 1), new("ServiceAccounts", 1)],
        (o, now) =>
        [
            Name(o), $"{o.TextAt("roleRef", "kind")}/{o.TextAt("roleRef", "name")}", Ages.Of(o, now),
            Subjects(o, "User"), Subjects(o, "Group"), Subjects(o, "ServiceAccount"),
        ]);

    private static string? Name(JsonObject o) => o.TextAt("metadata", "name");

    private static string Subjects(JsonObject binding, string kind) => string.Join(", ", binding["subjects"].Objects().Where(s => s.TextAt("kind") == kind)
        .Select(s => kind is "ServiceAccount" ? $"{s.TextAt("namespace")}/{s.TextAt("name")}" : s.TextAt("name")));

    private static string Usage(JsonObject quota, bool limits) => string.Join(", ",
        (quota.MapAt("status", "hard") ?? []).Where(h => h.Key.StartsWith("limits", StringComparison.Ordinal) == limits)
            .OrderBy(h => h.Key, StringComparer.Ordinal)
            .Select(h => $"{h.Key}: {quota.TextAt("status", "used", h.Key) ?? "0"}/{h.Value}"));
}

/// <summary><c>kubectl get nodes</c>.</summary>
internal static class NodeTable
{
    public static readonly Table Table = new(
        [
            Table.Name, new("Status"), new("Roles"), Table.Age, new("Version"), new("Internal-IP", 1), new("External-IP", 1),
            new("OS-Image", 1), new("Kernel-Version", 1), new("Container-Runtime", 1),
        ],
        (o, now) =>
        [
            o.TextAt("metadata", "name"), StatusOf(o), RolesOf(o), Ages.Of(o, now), o.TextAt("status", "nodeInfo", "kubeletVersion") ?? "",
            Address(o, "InternalIP"), Address(o, "ExternalIP"), Fact(o, "osImage"), Fact(o, "kernelVersion"), Fact(o, "containerRuntimeVersion"),
        ]);

    private static string StatusOf(JsonObject node)
    {
        var ready = node.ListAt("status", "conditions").Objects().FirstOrDefault(c => c.TextAt("type") is "Ready");
        var status = ready is null ? "Unknown" : ready.TextAt("status") is "True" ? "Ready" : "NotReady";
        return node.FlagAt("spec", "unschedulable") ? $"{status},SchedulingDisabled" : status;
    }

    private static string RolesOf(JsonObject node)
    {
        const string prefix = "node-role.kubernetes.io/";
        var roles = (node.MapAt("metadata", "labels") ?? [])
            .Select(l => l.Key.StartsWith(prefix, StringComparison.Ordinal) ? l.Key[prefix.Length..] : l.Key is "kubernetes.io/role" ? l.Value?.GetValue<string>() : null)
            .Where(r => !string.IsNullOrEmpty(r)).Order(StringComparer.Ordinal).ToArray();
        return roles.Length > 0 ? string.Join(',', roles) : "<none>";
    }

    private static string Address(JsonObject node, string type) =>
        node.ListAt("status", "addresses").Objects().FirstOrDefault(a => a.TextAt("type") == type)?.TextAt("address") ?? "<none>";

    private static string Fact(JsonObject node, string name) => node.TextAt("status", "nodeInfo", name) is { Length: > 0 } fact ? fact : Ages.Unknown;
}

/// <summary><c>kubectl get events</c>.</summary>
internal static class EventTable
{
    public static readonly Table Table = new(
        [
            new("Last Seen"), new("Type"), new("Reason"), new("Object"), new("Subobject", 1), new("Source", 1), new("Message"),
            new("First Seen", 1), new("Count", 1), new("Name", 1, "name"),
        ],
        (o, now) =>
        [
            LastSeen(o, now), o.TextAt("type"), o.TextAt("reason"),
            $"{o.TextAt("involvedObject", "kind")?.ToLowerInvariant()}/{o.TextAt("involvedObject", "name")}",
            o.TextAt("involvedObject", "fieldPath") ?? "", Source(o), o.TextAt("message")?.Trim() ?? "",
            Ages.Since(o.TextAt("firstTimestamp") ?? o.TextAt("eventTime"), now), o.NumberAt("series", "count") ?? o.NumberAt("count") ?? 1, o.TextAt("metadata", "name"),
        ]);

    private static string LastSeen(JsonObject o, DateTimeOffset now)
    {
        var first = o.TextAt("firstTimestamp") ?? o.TextAt("eventTime");
        if (o.TextAt("series", "lastObservedTime") is { } again)
            return $"{Ages.Since(again, now)} (x{o.NumberAt("series", "count")} over {Ages.Since(first, now)})";
        var last = o.TextAt("lastTimestamp") ?? first;
        return o.NumberAt("count") is > 1 and var count ? $"{Ages.Since(last, now)} (x{count} over {Ages.Since(first, now)})" : Ages.Since(last, now);
    }

    private static string Source(JsonObject o)
    {
        var component = o.TextAt("source", "component") is { Length: > 0 } old ? old : o.TextAt("reportingComponent") ?? "";
        var host = o.TextAt("source", "host") is { Length: > 0 } named ? named : o.TextAt("reportingInstance") ?? "";
        return host.Length > 0 ? $"{component}, {host}" : component;
    }
}
