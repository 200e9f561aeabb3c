using System.Net;
using System.Text;
using k8s;
using k8s.Autorest;
using k8s.Models;

namespace Hami.Lab.Kubelet.Volumes;

/// <summary>A ConfigMap or Secret that a pod needs is not there, in the kubelet's words.</summary>
internal sealed class SourceException : Exception
{
    public SourceException(string message) : base(message)
    {
    }

    public SourceException(string message, Exception inner) : base(message, inner)
    {
    }

    public SourceException()
    {
    }
}

/// <summary>The entries of a ConfigMap or Secret by key.</summary>
/// <param name="Missing">What to say of a source that is not there; null when it is.</param>
internal sealed record ConfigSource(string Kind, string Namespace, string Name, IReadOnlyDictionary<string, byte[]> Entries, string? Missing)
{
    /// <summary>The entry; null when source or key are missing and may be. Throws <see cref="SourceException"/>.</summary>
    public byte[]? Entry(string key, bool optional) =>
        Entries.TryGetValue(key, out var value) ? value
        : optional ? null
        : throw new SourceException(Missing ?? $"couldn't find key {key} in {Kind} {Namespace}/{Name}");

    /// <summary>All entries; none when the source is missing and may be. Throws <see cref="SourceException"/>.</summary>
    public IReadOnlyDictionary<string, byte[]> All(bool optional) => Missing is null || optional ? Entries : throw new SourceException(Missing);
}

/// <summary>ConfigMaps and Secrets as pods name them, read when a container or a volume needs them.</summary>
internal sealed class ConfigSources(IKubernetes kubernetes)
{
    private static readonly Dictionary<string, byte[]> Nothing = new(StringComparer.Ordinal);

    public Task<ConfigSource> ConfigMap(string @namespace, string name, CancellationToken cancellationToken) => Read("ConfigMap", @namespace, name, async () =>
    {
        var map = await kubernetes.CoreV1.ReadNamespacedConfigMapAsync(name, @namespace, cancellationToken: cancellationToken);
        var entries = new Dictionary<string, byte[]>(map.BinaryData ?? Nothing, StringComparer.Ordinal);
        foreach (var (key, value) in map.Data ?? new Dictionary<string, string>(StringComparer.Ordinal))
            entries[key] = Encoding.UTF8.GetBytes(value);
        return entries;
    });

    public Task<ConfigSource> Secret(string @namespace, string name, CancellationToken cancellationToken) => Read("Secret", @namespace, name, async () =>
        new Dictionary<string, byte[]>(
            (await kubernetes.CoreV1.ReadNamespacedSecretAsync(name, @namespace, cancellationToken: cancellationToken)).Data ?? Nothing,
            StringComparer.Ordinal));

    /// <summary>Everything the container's environment names, by kind and name.</summary>
    public async Task<IReadOnlyDictionary<(string Kind, string Name), ConfigSource>> OfEnvironment(
        V1Pod pod, V1Container container, CancellationToken cancellationToken)
    {
        var found = new Dictionary<(string Kind, string Name), ConfigSource>();
        foreach (var name in (container.EnvFrom ?? []).Select(e => e.ConfigMapRef?.Name).Concat((container.Env ?? []).Select(e => e.ValueFrom?.ConfigMapKeyRef?.Name)).OfType<string>().Distinct(StringComparer.Ordinal))
            found[("ConfigMap", name)] = await ConfigMap(pod.Metadata.NamespaceProperty, name, cancellationToken);
        foreach (var name in (container.EnvFrom ?? []).Select(e => e.SecretRef?.Name).Concat((container.Env ?? []).Select(e => e.ValueFrom?.SecretKeyRef?.Name)).OfType<string>().Distinct(StringComparer.Ordinal))
            found[("Secret", name)] = await Secret(pod.Metadata.NamespaceProperty, name, cancellationToken);
        return found;
    }

    private static async Task<ConfigSource> Read(string kind, string @namespace, string name, Func<Task<Dictionary<string, byte[]>>> read)
    {
        try
        {
            return new(kind, @namespace, name, await read(), Missing: null);
        }
        catch (HttpOperationException e) when (e.Response.StatusCode == HttpStatusCode.NotFound)
        {
            return new(kind, @namespace, name, Nothing, $"{kind.ToLowerInvariant()} \"{name}\" not found");
        }
        catch (Exception e) when (e is HttpOperationException or HttpRequestException or IOException)
        {
            throw new SourceException($"failed to read the {kind.ToLowerInvariant()} {@namespace}/{name}: {e.Message}", e);
        }
    }
}
