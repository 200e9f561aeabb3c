using System.Text;
using YamlDotNet.Core;
using YamlDotNet.RepresentationModel;

namespace Hami.NodeAgent.Plumbing.Cluster;

/// <summary>A kubeconfig file, as far as a node's service has use for it: its current context, and credentials that stand in files.</summary>
/// <remarks>An agent that runs as a pod needs none. Programs that fetch credentials (<c>exec</c>, <c>auth-provider</c>) are for people at a terminal.</remarks>
internal static class Kubeconfig
{
    /// <exception cref="FormatException">The file says something unusable; the message is a clause that says what.</exception>
    public static ServerAccess Read(string path)
    {
        var (root, folder) = (Root(path), Path.GetDirectoryName(Path.GetFullPath(path))!);
        var current = Text(root, "current-context") is { Length: > 0 } name ? name : throw new FormatException("it names no current-context");
        var context = Entry(root, "contexts", current, "context");
        var cluster = Entry(root, "clusters", Text(context, "cluster"), "cluster");
        // kubectl takes a context without a user, and a user without credentials, as anonymous, and so do we.
        var user = Text(context, "user") is { Length: > 0 } who ? Entry(root, "users", who, "user") : new YamlMappingNode();
        if (Yaml.Child(user, "exec") is not null || Yaml.Child(user, "auth-provider") is not null)
            throw new FormatException("its user has a program fetch credentials, which a node agent does not; use a token, a tokenFile or a client certificate");
        if (!Uri.TryCreate(Text(cluster, "server")?.TrimEnd('/') + "/", UriKind.Absolute, out var server) || server.Scheme is not ("http" or "https"))
            throw new FormatException($"its cluster's server \"{Text(cluster, "server")}\" is no http or https address");
        var certificate = Content(user, "client-certificate", folder);
        return new(
            server, Content(cluster, "certificate-authority", folder), Text(cluster, "insecure-skip-tls-verify") is "true", Text(cluster, "tls-server-name"),
            certificate is null ? null : (certificate, Content(user, "client-key", folder) ?? throw new FormatException("its user has a client certificate and no client key")),
            Text(user, "token"), Text(user, "tokenFile") is { Length: > 0 } file ? Path.Combine(folder, file) : null);
    }

    private static YamlMappingNode Root(string path)
    {
        try
        {
            var yaml = new YamlStream();
            yaml.Load(new StringReader(File.ReadAllText(path)));
            return yaml.Documents is [{ RootNode: YamlMappingNode root }, ..] ? root : throw new FormatException("it is empty");
        }
        catch (YamlException e)
        {
            throw new FormatException($"line {e.Start.Line}, column {e.Start.Column} is not YAML: {e.Message}", e);
        }
    }

    // What is called so in a list of the file.
    private static YamlMappingNode Entry(YamlMappingNode root, string list, string? name, string key) =>
        (Yaml.Child(root, list) as YamlSequenceNode)?.OfType<YamlMappingNode>().FirstOrDefault(entry => Text(entry, "name") == name) is { } found
            ? Yaml.Child(found, key) as YamlMappingNode ?? new YamlMappingNode()
            : throw new FormatException($"its {list} have none named \"{name}\"");

    // Either in the file itself, in base64, or in another file.
    private static string? Content(YamlMappingNode entry, string key, string folder)
    {
        if (Text(entry, key + "-data") is { Length: > 0 } data)
            return Encoding.UTF8.GetString(Convert.FromBase64String(data));
        return Text(entry, key) is { Length: > 0 } file ? File.ReadAllText(Path.Combine(folder, file)) : null;
    }

    private static string? Text(YamlMappingNode entry, string key) => (Yaml.Child(entry, key) as YamlScalarNode)?.Value;
}
