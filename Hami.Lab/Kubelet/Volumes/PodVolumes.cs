using k8s;
using k8s.Models;
using Kubelet.DevicePlugin.V1Beta1;

namespace Hami.Lab.Kubelet.Volumes;

/// <summary>A volume that cannot be made now; the message is what its <c>FailedMount</c> event says.</summary>
internal sealed class VolumeException : Exception
{
    public VolumeException(string message) : base(message)
    {
    }

    public VolumeException(string message, Exception inner) : base(message, inner)
    {
    }

    public VolumeException()
    {
    }
}

/// <summary>Makes a pod's volumes as folders of its run directory.</summary>
internal sealed class PodVolumes(IKubernetes kubernetes, ConfigSources sources, NodeSurroundings node)
{
    private readonly ServiceAccountTokens _tokens = new(kubernetes);

    /// <summary>Makes all of them; returns where each lies, by name. Throws <see cref="VolumeException"/>.</summary>
    public async Task<IReadOnlyDictionary<string, string>> Make(V1Pod pod, string runDirectory, CancellationToken cancellationToken)
    {
        var made = new Dictionary<string, string>(StringComparer.Ordinal);
        foreach (var volume in pod.Spec.Volumes ?? [])
        {
            try
            {
                made[volume.Name] = volume.HostPath is { } path
                    ? HostPath(path)
                    : await Fill(pod, volume, new VolumeFolder(Path.Combine(runDirectory, "volumes", volume.Name)), cancellationToken);
            }
            catch (Exception e) when (e is SourceException or IOException or UnauthorizedAccessException)
            {
                throw new VolumeException($"MountVolume.SetUp failed for volume \"{volume.Name}\" : {e.Message}", e);
            }
        }
        return made;
    }

    /// <summary>Where the container expects its volumes, and where they are.</summary>
    public static IReadOnlyList<Mount> Mounts(
        V1Container container, IReadOnlyDictionary<string, string> volumes, IReadOnlyDictionary<string, string> environment, string runDirectory) =>
    [
        .. (container.VolumeMounts ?? []).Where(m => volumes.ContainsKey(m.Name)).Select(m => new Mount
        {
            ContainerPath = m.MountPath,
            HostPath = SubPath(volumes[m.Name], m.SubPath ?? ContainerEnvironment.Expand(m.SubPathExpr ?? "", environment), runDirectory),
        }),
    ];

    // A path below a volume that is not there yet is made, as a real kubelet does, but in none of the machine's own folders.
    private static string SubPath(string volume, string path, string runDirectory)
    {
        if (path.Length == 0)
            return volume;
        var below = VolumeFolder.Below(volume, path);
        if (Path.Exists(below))
            return below;
        if (!volume.StartsWith($"{runDirectory}/", StringComparison.Ordinal))
            throw new SourceException($"{below} is not there, and this node makes nothing outside its own directory");
        Directory.CreateDirectory(below);
        return below;
    }

    private async Task<string> Fill(V1Pod pod, V1Volume volume, VolumeFolder folder, CancellationToken cancellationToken)
    {
        if (volume.EmptyDir is not null)
        {
            // Kept over restarts of containers and of this kubelet.
        }
        else if (volume.ConfigMap is { } map)
        {
            folder.Write((await sources.ConfigMap(pod.Metadata.NamespaceProperty, map.Name, cancellationToken)), map.Items, map.Optional, map.DefaultMode);
        }
        else if (volume.Secret is { } secret)
        {
            folder.Write((await sources.Secret(pod.Metadata.NamespaceProperty, secret.SecretName, cancellationToken)), secret.Items, secret.Optional, secret.DefaultMode);
        }
        else if (volume.DownwardAPI is { } downward)
        {
            Write(pod, folder, downward.Items, downward.DefaultMode);
        }
        else if (volume.Projected is { } projected)
        {
            var issuesTokens = true;
            foreach (var source in projected.Sources ?? [])
            {
                if (source.ServiceAccountToken is { } token)
                    issuesTokens = await Token(pod, folder, token, projected.DefaultMode, cancellationToken);
                else
                    await Project(pod, folder, source, projected.DefaultMode, issuesTokens, cancellationToken);
            }
        }
        else
        {
            throw new SourceException("this node makes emptyDir, configMap, secret, downwardAPI, projected and hostPath volumes only");
        }
        return folder.Path;
    }

    // Without one, the text in its place opens nothing.
    private async Task<bool> Token(V1Pod pod, VolumeFolder folder, V1ServiceAccountTokenProjection asked, int? mode, CancellationToken cancellationToken)
    {
        var token = await _tokens.For(pod, asked, cancellationToken);
        folder.Write(asked.Path, token ?? "this-api-server-issues-no-tokens"u8.ToArray(), mode);
        return token is not null;
    }

    private async Task Project(V1Pod pod, VolumeFolder folder, V1VolumeProjection source, int? mode, bool issuesTokens, CancellationToken cancellationToken)
    {
        var @namespace = pod.Metadata.NamespaceProperty;
        if (source.ConfigMap is { } map)
        {
            // Who issues no tokens publishes no authority to verify them with either.
            var optional = map.Optional is true || (!issuesTokens && map.Name == "kube-root-ca.crt");
            folder.Write(await sources.ConfigMap(@namespace, map.Name, cancellationToken), map.Items, optional, mode);
        }
        else if (source.Secret is { } secret)
            folder.Write(await sources.Secret(@namespace, secret.Name, cancellationToken), secret.Items, secret.Optional, mode);
        else if (source.DownwardAPI is { } downward)
            Write(pod, folder, downward.Items, mode);
        else
            throw new SourceException("this node projects configMaps, secrets, the downward API and service account tokens only");
    }

    private void Write(V1Pod pod, VolumeFolder folder, IList<V1DownwardAPIVolumeFile>? files, int? mode)
    {
        foreach (var file in files ?? [])
        {
            var value = file.FieldRef is { } field
                ? PodFields.Of(field.FieldPath, pod, node) ?? throw new SourceException($"unsupported fieldPath: {field.FieldPath}")
                : Resource(pod, file.ResourceFieldRef);
            folder.Write(file.Path, System.Text.Encoding.UTF8.GetBytes(value), file.Mode ?? mode);
        }
    }

    private static string Resource(V1Pod pod, V1ResourceFieldSelector asked)
    {
        var container = pod.Spec.Containers.Concat(pod.Spec.InitContainers ?? []).FirstOrDefault(c => c.Name == asked.ContainerName)
            ?? throw new SourceException($"container {asked.ContainerName} not found");
        return PodFields.Of(asked, container) ?? throw new SourceException($"unsupported container resource : {asked.Resource}");
    }

    // The machine's own files, as they are; nothing is made outside the run directory.
    private static string HostPath(V1HostPathVolumeSource source)
    {
        var fits = source.Type switch
        {
            null or "" => true,
            "Directory" or "DirectoryOrCreate" => Directory.Exists(source.Path),
            _ => File.Exists(source.Path),
        };
        if (fits)
            return source.Path;
        var kind = source.Type is "Directory" or "DirectoryOrCreate" ? "a directory" : "a file";
        throw new SourceException(source.Type?.EndsWith("OrCreate", StringComparison.Ordinal) is true
            ? $"hostPath {source.Path} is not {kind}, and this node makes nothing outside its own directory"
            : $"hostPath type check failed: {source.Path} is not {kind}");
    }
}
