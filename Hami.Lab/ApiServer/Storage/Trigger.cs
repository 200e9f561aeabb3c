namespace Hami.Lab.ApiServer;

/// <summary>What wakes a watcher: any change of the resource, or only those of objects with one name or on one node.</summary>
/// <remarks>A thousand kubelets watch the pods of their node each; without this every pod would wake all of them.</remarks>
internal readonly record struct Trigger(string? Field, string Value)
{
    public static readonly Trigger Any = new(Field: null, "");

    public static Trigger Name(string name) => new("metadata.name", name);

    public static Trigger Node(string node) => new("spec.nodeName", node);
}
