namespace Hami.Lab.ApiServer;

/// <summary>What wakes a watcher: any change of the resource, or only those of objects with one name or on one node.</summary>
/// <remarks>A thousand kubelets watch the pods of their node each; without this every pod would wake all of them.</remarks>
internal readonly record struct Trigger(string? Field, string Value)
{
    private const string NodeField = "spec.nodeName";

    public static readonly Trigger Any = new(Field: null, "");

    public static Trigger Name(string name) => new("metadata.name", name);

    public static Trigger Node(string node) => new(NodeField, node);

    /// <summary>The node that changes must be about; null where they need not.</summary>
    public string? OnNode => Field == NodeField ? Value : null;
}
