using System.Text.RegularExpressions;
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
internal sealed record NodeSurroundings(string NodeName, string ProgramsDirectory, string DriverDirectory, string DriverDevicesFile, string HostPath);

/// <summary>What a container's first process starts with.</summary>
internal sealed record LaunchPlan(IReadOnlyList<string> Command, IReadOnlyDictionary<string, string> Environment, string WorkingDirectory);

/// <summary>Turns a container and its plugins' answers into one process' command and environment.</summary>
/// <remarks>There is no mount namespace: what the plugin would have mounted is reached by rewriting paths in environment values.</remarks>
internal static partial class ContainerEnvironment
{
    public const string Preload = "/etc/ld.so.preload";

    public static LaunchPlan Plan(
        V1Pod pod, V1Container container, IReadOnlyList<ContainerAllocateResponse> answers, NodeSurroundings node, string runDirectory)
    {
        var mounts = answers.SelectMany(a => a.Mounts).OrderByDescending(m => m.ContainerPath.Length).ToList();
        var values = new Dictionary<string, string>(StringComparer.Ordinal);
        foreach (var (name, value) in answers.SelectMany(a => a.Envs))
            values[name] = value;
        // The plugin's come first, so the pod's own win.
        foreach (var env in container.Env ?? [])
        {
            if (Value(env, pod, node, values) is { } value)
                values[env.Name] = value;
        }

        // Images of the article's workloads set it; without a device the NVIDIA runtime would show every card.
        if (answers.Count == 0)
            values.TryAdd("NVIDIA_VISIBLE_DEVICES", "none");

        var command = Command(container, values);
        var environment = values.ToDictionary(v => v.Key, v => Translate(v.Value, mounts), StringComparer.Ordinal);
        environment["PATH"] = Joined(node.ProgramsDirectory, environment.GetValueOrDefault("PATH", node.HostPath));
        environment["LD_LIBRARY_PATH"] = Joined(node.DriverDirectory, environment.GetValueOrDefault("LD_LIBRARY_PATH"));
        environment["HAMI_FAKE_DRIVER"] = node.DriverDevicesFile;
        environment["HOME"] = runDirectory;
        environment["TMPDIR"] = Path.Combine(runDirectory, "tmp");
        environment.TryAdd("HOSTNAME", pod.Metadata.Name);
        if (Preloads(mounts) is { Length: > 0 } preloads)
            environment["LD_PRELOAD"] = Joined(preloads, environment.GetValueOrDefault("LD_PRELOAD"));
        return new(command, environment, runDirectory);
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

    private static string? Value(V1EnvVar env, V1Pod pod, NodeSurroundings node, IReadOnlyDictionary<string, string> soFar)
    {
        if (env.ValueFrom is null)
            return Expand(env.Value ?? "", soFar);
        if (env.ValueFrom.FieldRef?.FieldPath is { } path)
            return Field(env.Name, path, pod, node);
        if (env.ValueFrom.SecretKeyRef?.Optional == true || env.ValueFrom.ConfigMapKeyRef?.Optional == true)
            return null;
        throw new ContainerConfigException($"The environment variable {env.Name} comes from a source this node does not have; values and fieldRef are supported.");
    }

    private static string Field(string name, string path, V1Pod pod, NodeSurroundings node) => path switch
    {
        "metadata.name" => pod.Metadata.Name,
        "metadata.namespace" => pod.Metadata.NamespaceProperty,
        "metadata.uid" => pod.Metadata.Uid,
        "spec.nodeName" => node.NodeName,
        "spec.serviceAccountName" => pod.Spec.ServiceAccountName ?? "default",
        "status.hostIP" or "status.podIP" => PodReport.Address,
        _ when Keyed(path, "metadata.labels", pod.Metadata.Labels) is { } label => label,
        _ when Keyed(path, "metadata.annotations", pod.Metadata.Annotations) is { } annotation => annotation,
        _ => throw new ContainerConfigException($"The environment variable {name} asks for the field {path}, which this node does not know."),
    };

    private static string? Keyed(string path, string list, IDictionary<string, string>? values)
    {
        if (!path.StartsWith($"{list}['", StringComparison.Ordinal) || !path.EndsWith("']", StringComparison.Ordinal))
            return null;
        var key = path[(list.Length + 2)..^2];
        return values?.TryGetValue(key, out var value) == true ? value : "";
    }

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
        catch (IOException e)
        {
            throw new ContainerConfigException($"The plugin mounts {file} at {Preload}, but it cannot be read: {e.Message}", e);
        }
    }

    private static string Joined(string first, string? rest) => string.IsNullOrEmpty(rest) ? first : $"{first}:{rest}";

    [GeneratedRegex(@"\$\$|\$\((?<name>[^)]+)\)", RegexOptions.ExplicitCapture, 1000)]
    private static partial Regex Reference();
}
