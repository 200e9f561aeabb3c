using System.Text;
using System.Text.RegularExpressions;
using Hami.Lab.Kubelet.Volumes;
using k8s.Models;
using Kubelet.DevicePlugin.V1Beta1;

namespace Hami.Lab.Kubelet;

/// <summary>A container that cannot be started as it is written; retried, as the kubelet does with CreateContainerConfigError.</summary>
internal sealed class ContainerConfigException : Exception
{
    public ContainerConfigException(string message) : base(message)
    {
    }

    public ContainerConfigException(string message, Exception inner) : base(message, inner)
    {
    }

    public ContainerConfigException()
    {
    }
}

/// <summary>What of the node shows through into every container.</summary>
internal sealed record NodeSurroundings(
    string NodeName, string ProgramsDirectory, string DriverDirectory, string DriverDevicesFile, string HostPath, string Address = "127.0.0.1");

/// <summary>What the pod brings to its containers: where its volumes lie, and what its environment names.</summary>
internal sealed record PodBelongings(
    IReadOnlyDictionary<string, string> Volumes, IReadOnlyDictionary<(string Kind, string Name), ConfigSource> Sources)
{
    /// <summary>The file to which the container may write why it ends.</summary>
    public Mount? TerminationLog { get; init; }

    public static readonly PodBelongings None = new(new Dictionary<string, string>(StringComparer.Ordinal), new Dictionary<(string, string), ConfigSource>());
}

/// <summary>What a container's first process starts with.</summary>
/// <param name="Volumes">Where the container's volumes lie: paths in other commands run in it are rewritten too.</param>
internal sealed record LaunchPlan(
    IReadOnlyList<string> Command, IReadOnlyDictionary<string, string> Environment, string WorkingDirectory, IReadOnlyList<Mount> Volumes);

/// <summary>Turns a container and its plugins' answers into one process' command and environment.</summary>
/// <remarks>There is no mount namespace: what the plugin would have mounted is reached by rewriting paths in environment values.</remarks>
internal static partial class ContainerEnvironment
{
    public const string Preload = "/etc/ld.so.preload";

    public static LaunchPlan Plan(
        V1Pod pod,
        V1Container container,
        IReadOnlyList<ContainerAllocateResponse> answers,
        NodeSurroundings node,
        string runDirectory,
        PodBelongings? belongings = null)
    {
        belongings ??= PodBelongings.None;
        var values = Values(pod, container, answers, node, belongings.Sources);
        var volumes = PodVolumes.Mounts(container, belongings.Volumes, values, runDirectory).Concat(belongings.TerminationLog is { } log ? [log] : []).OrderByDescending(m => m.ContainerPath.Length).ToList();
        // A plugin's mount wins over a volume at the same place.
        var mounts = answers.SelectMany(a => a.Mounts).Concat(volumes).OrderByDescending(m => m.ContainerPath.TrimEnd('/').Length).ToList();

        var command = Command(container, values).Select(w => TranslateWithin(w, volumes)).ToList();
        var environment = values.ToDictionary(v => v.Key, v => Translate(v.Value, mounts), StringComparer.Ordinal);
        environment["PATH"] = Joined(node.ProgramsDirectory, environment.GetValueOrDefault("PATH", node.HostPath));
        environment["LD_LIBRARY_PATH"] = Joined(node.DriverDirectory, environment.GetValueOrDefault("LD_LIBRARY_PATH"));
        environment["HAMI_FAKE_DRIVER"] = node.DriverDevicesFile;
        environment["HOME"] = runDirectory;
        environment["TMPDIR"] = Path.Combine(runDirectory, "tmp");
        environment.TryAdd("HOSTNAME", pod.Metadata.Name);
        if (Preloads(mounts) is { Length: > 0 } preloads)
            environment["LD_PRELOAD"] = Joined(preloads, environment.GetValueOrDefault("LD_PRELOAD"));
        // A directory of the image is not here; one of a volume is.
        var workingDirectory = Translate(container.WorkingDir ?? "", volumes);
        return new(command, environment, workingDirectory != (container.WorkingDir ?? "") ? workingDirectory : runDirectory, volumes);
    }

    /// <summary>Rewrites a path that lies under a mount to where it lies on the host; the longest mount wins.</summary>
    public static string Translate(string value, IEnumerable<Mount> longestFirst)
    {
        foreach (var mount in longestFirst)
        {
            var prefix = mount.ContainerPath.TrimEnd('/');
            if (prefix.Length > 0
                && value.StartsWith(prefix, StringComparison.Ordinal)
                && (value.Length == prefix.Length || value[prefix.Length] is '/' or ':'))
                return string.Concat(mount.HostPath.TrimEnd('/'), value.AsSpan(prefix.Length));
        }
        return value;
    }

    /// <summary>Rewrites every path in a word of a command that lies under a volume's mount: a program's argument, or a line for its shell.</summary>
    public static string TranslateWithin(string word, IReadOnlyList<Mount> longestFirst)
    {
        var places = longestFirst.Select(m => (Inside: m.ContainerPath.TrimEnd('/'), m.HostPath)).Where(m => m.Inside.Length > 1).ToList();
        if (places.Count == 0)
            return word;
        // All at once: what has been rewritten is not looked at again.
        var pattern = $@"(?<![\w./-])(?:{string.Join('|', places.Select(p => Regex.Escape(p.Inside)))})(?![\w.-])";
        return Regex.Replace(
            word, pattern, found => places.Find(p => p.Inside == found.Value).HostPath.TrimEnd('/'), RegexOptions.CultureInvariant, TimeSpan.FromSeconds(1));
    }

    /// <summary>Kubernetes' <c>$(NAME)</c>; an unknown name stays as it is, <c>$$</c> is one dollar.</summary>
    public static string Expand(string text, IReadOnlyDictionary<string, string> values) => Reference().Replace(text, match =>
        match.Value == "$$" ? "$"
        : values.TryGetValue(match.Groups["name"].Value, out var value) ? value
        : match.Value);

    private static List<string> Command(V1Container container, IReadOnlyDictionary<string, string> values)
    {
        var words = (container.Command ?? []).Concat(container.Args ?? []).Select(w => Expand(w, values)).ToList();
        // There are no images here, so no entry point either.
        return words.Count > 0 ? words : ["lab-smi", "--stay"];
    }

    private static Dictionary<string, string> Values(
        V1Pod pod,
        V1Container container,
        IReadOnlyList<ContainerAllocateResponse> answers,
        NodeSurroundings node,
        IReadOnlyDictionary<(string Kind, string Name), ConfigSource> sources)
    {
        var values = new Dictionary<string, string>(StringComparer.Ordinal);
        foreach (var (name, value) in answers.SelectMany(a => a.Envs))
            values[name] = value;
        try
        {
            // The plugin's come first, so the pod's own win; what it names one by one wins over what it takes whole.
            foreach (var from in container.EnvFrom ?? [])
            {
                var all = from.ConfigMapRef is { } map ? sources[("ConfigMap", map.Name)].All(map.Optional is true)
                    : from.SecretRef is { } secret ? sources[("Secret", secret.Name)].All(secret.Optional is true)
                    : new Dictionary<string, byte[]>(StringComparer.Ordinal);
                foreach (var (key, value) in all)
                    values[$"{from.Prefix}{key}"] = Encoding.UTF8.GetString(value);
            }
            foreach (var env in container.Env ?? [])
            {
                if (Value(env, pod, container, node, sources, values) is { } value)
                    values[env.Name] = value;
            }
        }
        catch (SourceException e)
        {
            throw new ContainerConfigException(e.Message, e);
        }

        // Images of the article's workloads set it; without a device the NVIDIA runtime would show every card.
        if (answers.Count == 0)
            values.TryAdd("NVIDIA_VISIBLE_DEVICES", "none");
        return values;
    }

    private static string? Value(
        V1EnvVar env,
        V1Pod pod,
        V1Container container,
        NodeSurroundings node,
        IReadOnlyDictionary<(string Kind, string Name), ConfigSource> sources,
        IReadOnlyDictionary<string, string> soFar)
    {
        if (env.ValueFrom is null)
            return Expand(env.Value ?? "", soFar);
        if (env.ValueFrom.FieldRef?.FieldPath is { } path)
            return PodFields.Of(path, pod, node)
                ?? throw new ContainerConfigException($"The environment variable {env.Name} asks for the field {path}, which this node does not know.");
        if (env.ValueFrom.ResourceFieldRef is { } resource)
        {
            var of = pod.Spec.Containers.Concat(pod.Spec.InitContainers ?? []).FirstOrDefault(c => c.Name == resource.ContainerName) ?? container;
            return PodFields.Of(resource, of)
                ?? throw new ContainerConfigException($"The environment variable {env.Name} asks for the resource {resource.Resource}, which this node does not know.");
        }
        if (env.ValueFrom.ConfigMapKeyRef is { } map)
            return Text(sources[("ConfigMap", map.Name)].Entry(map.Key, map.Optional is true));
        if (env.ValueFrom.SecretKeyRef is { } secret)
            return Text(sources[("Secret", secret.Name)].Entry(secret.Key, secret.Optional is true));
        throw new ContainerConfigException($"The environment variable {env.Name} comes from a source this node does not have.");
    }

    private static string? Text(byte[]? value) => value is null ? null : Encoding.UTF8.GetString(value);

    private static string Preloads(IReadOnlyList<Mount> mounts)
    {
        var file = mounts.FirstOrDefault(m => m.ContainerPath == Preload)?.HostPath;
        if (file is null)
            return "";
        try
        {
            var libraries = File.ReadAllLines(file)
                .Select(line => line.Split('#')[0])
                .SelectMany(line => line.Split([' ', '\t', ':'], StringSplitOptions.RemoveEmptyEntries));
            return string.Join(':', libraries.Select(l => Translate(l, mounts)));
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new ContainerConfigException($"The plugin mounts {file} at {Preload}, but it cannot be read: {e.Message}", e);
        }
    }

    private static string Joined(string first, string? rest) => string.IsNullOrEmpty(rest) ? first : $"{first}:{rest}";

    [GeneratedRegex(@"\$\$|\$\((?<name>[^)]+)\)", RegexOptions.ExplicitCapture, 1000)]
    private static partial Regex Reference();
}
