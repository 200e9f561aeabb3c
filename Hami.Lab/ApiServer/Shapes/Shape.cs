using System.Collections.Concurrent;
using System.Reflection;
using System.Text.Json;
using System.Text.Json.Serialization;
using k8s.Models;

namespace Hami.Lab.ApiServer;

internal enum Form { Anything, Text, Time, Bytes, Whole, Fraction, Flag, Quantity, WholeOrText, List, Map, Object }

/// <summary>What a field of a Kubernetes object may hold, read off KubernetesClient's models, which are generated from Kubernetes' own OpenAPI document.</summary>
internal sealed class Shape(Form form, string goName, Type? itemType = null, Type? objectType = null)
{
    private static readonly ConcurrentDictionary<Type, Shape> Known = new();

    private readonly Lazy<Dictionary<string, Shape>> _fields = new(() => objectType is null ? [] : FieldsOf(objectType));

    public Form Form { get; } = form;

    /// <summary>The type's name as Go's decoder would say it in an error.</summary>
    public string GoName { get; } = goName;

    public Shape Item => Of(itemType!);

    /// <summary>The model's own name; empty where the form is no object.</summary>
    public string TypeName => objectType?.Name ?? "";

    public IReadOnlyDictionary<string, Shape> Fields => _fields.Value;

    public static Shape Of(Type type) => Known.GetOrAdd(type, Make);

    private static Shape Make(Type declared)
    {
        var type = Nullable.GetUnderlyingType(declared) ?? declared;
        if (type == typeof(string))
            return new(Form.Text, "string");
        if (type == typeof(DateTime))
            return new(Form.Time, "string");
        if (type == typeof(byte[]))
            return new(Form.Bytes, "[]uint8");
        if (type == typeof(int))
            return new(Form.Whole, "int32");
        if (type == typeof(long))
            return new(Form.Whole, "int64");
        if (type == typeof(double))
            return new(Form.Fraction, "float64");
        if (type == typeof(bool))
            return new(Form.Flag, "bool");
        if (type == typeof(ResourceQuantity))
            return new(Form.Quantity, "resource.Quantity");
        if (type == typeof(IntOrString))
            return new(Form.WholeOrText, "intstr.IntOrString");
        if (type == typeof(object) || type == typeof(JsonElement))
            return new(Form.Anything, "interface {}");
        if (type.IsGenericType && type.GetGenericArguments() is [var item])
            return new(Form.List, $"[]{Of(item).GoName}", item);
        if (type.IsGenericType && type.GetGenericArguments() is [_, var value])
            return new(Form.Map, $"map[string]{Of(value).GoName}", value);
        return new(Form.Object, $"v1.{type.Name.Replace("Corev1", "", StringComparison.Ordinal).Replace("V1", "", StringComparison.Ordinal)}", objectType: type);
    }

    private static Dictionary<string, Shape> FieldsOf(Type type) =>
        type.GetProperties(BindingFlags.Public | BindingFlags.Instance)
            .Select(p => (p.GetCustomAttribute<JsonPropertyNameAttribute>()?.Name, p.PropertyType))
            .Where(p => p.Name is not null)
            .ToDictionary(p => p.Name!, p => Of(p.PropertyType), StringComparer.Ordinal);
}
