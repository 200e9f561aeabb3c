using System.Text.Json.Nodes;

namespace Hami.Lab.ApiServer;

/// <summary>How a pod finds names: its resolver and its hosts file.</summary>
internal static class DnsChecks
{
    public static void Check(JsonObject spec, string path, Causes causes)
    {
        var (config, at) = (spec.MapAt("dnsConfig"), $"{path}.dnsConfig");
        var servers = config.ListAt("nameservers");
        if (spec.TextAt("dnsPolicy") is "None" && servers is not { Count: > 0 })
        {
            if (config is null)
                causes.Required(at, "must provide `dnsConfig` when `dnsPolicy` is None");
            else
                causes.Required($"{at}.nameservers", "must provide at least one DNS nameserver when `dnsPolicy` is None");
            return;
        }
        if (servers is { Count: > 3 })
            causes.Invalid($"{at}.nameservers", servers.DeepClone(), "must not have more than 3 nameservers");
        foreach (var (server, i) in servers.Texts().Select((s, i) => (s, i)))
            causes.Invalid($"{at}.nameservers[{i}]", server, Formats.Address(server));
        var searches = config.At("searches").Texts().ToArray();
        if (searches.Length > 32)
            causes.Invalid($"{at}.searches", config.At("searches")!.DeepClone(), "must not have more than 32 search paths");
        if (string.Join(' ', searches).Length > 2048)
            causes.Invalid($"{at}.searches", config.At("searches")!.DeepClone(), "must not have more than 2048 characters (including spaces) in the search list");
        foreach (var (option, here) in config.At("options").Numbered($"{at}.options"))
        {
            if (string.IsNullOrEmpty(option.TextAt("name")))
                causes.Required(here, "must not be empty");
        }
    }

    public static void CheckAliases(JsonNode? aliases, string at, Causes causes)
    {
        foreach (var (alias, here) in aliases.Numbered(at))
        {
            causes.Invalid($"{here}.ip", alias.TextAt("ip") ?? "", Formats.Address(alias.TextAt("ip") ?? ""));
            foreach (var (name, i) in alias["hostnames"].Texts().Select((n, i) => (n, i)))
                causes.Invalid($"{here}.hostnames[{i}]", name, Formats.Subdomain(name));
        }
    }
}
